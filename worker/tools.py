"""Gives a trainer the environment of its run: what TRL calls to act out an answer with tools. Everything that
would fail in the middle of a training is tried before it."""

import functools
import os
from collections.abc import Callable
from typing import Any

from trl.chat_template_utils import (
    add_response_schema,
    get_training_chat_template,
    is_chat_template_prefix_preserving,
    supports_tool_calling,
)

from studio import environments, rows
from studio.environments import Environment
from studio.errors import StudioError
from worker.order import Order


def factory(order: Order, tokenizer: Any, resolve: Callable[[str], Any]) -> Callable[[], Any] | None:
    """What makes the environment of one answer; None where the run has none. `resolve` finds a class by its
    name. Raises StudioError where the model's chat template, this machine or the rows do not fit."""
    name = order.parameters.get("environment")
    if not name:
        return None
    environment = environments.get(name)
    require_tools(tokenizer, order.models[0].name)
    settings = environments.settings_of(name, order.parameters["environment_settings"])
    made: Callable[[], Any] = functools.partial(resolve(environment.factory), **settings)
    probe = made()
    for version in filter(None, (order.data, order.held_out)):
        for row in rows.converted(version.path, version.shape, order.reads):
            _try(environment, probe, row, version.title)
    # It says that environments are new in TRL and may change; our version of TRL is fixed.
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    return made


def _try(environment: Environment, instance: Any, row: dict[str, Any], title: str) -> None:
    if isinstance(row["prompt"], str):
        raise StudioError(
            f"“{title}” has prompts that are plain text, and {environment.title} needs conversations: only "
            "those can hold the calls of tools.",
            hint="Give each row its prompt as a list of messages, or choose no environment.",
            field="dataset",
        )
    instance.reset(**row)


def require_tools(tokenizer: Any, name: str) -> None:
    """Raises StudioError unless the chat template can show tools, their calls and their results, and calls
    can be read from what the model writes. A template that is known is completed."""
    known = supports_tool_calling(tokenizer)
    if known:
        try:
            if not (_reads("response_template", tokenizer) or _reads("response_schema", tokenizer)):
                add_response_schema(tokenizer)
            if not is_chat_template_prefix_preserving(tokenizer):
                get_training_chat_template(tokenizer)
        except ValueError:  # TRL does not know this template
            known = False
    if not known:
        raise StudioError(
            f"“{name}” cannot call tools: its chat template does not show them, or does not say how calls "
            "are written.",
            hint="Choose a model made for tools (Qwen3, Llama 3.1 and later have them), or no environment.",
            field="model",
        )


def _reads(attribute: str, tokenizer: Any) -> bool:
    return getattr(tokenizer, attribute, None) is not None
