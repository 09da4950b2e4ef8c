"""Fills `{{ sample.output_text }}`, `{{ item.reference_answer }}` and their nested parts into texts, as
OpenAI's graders write them, and `{prompt}`, `{answer}`, `{reference}` as ours do.

A value that was put in is not read again: an answer that contains braces stays as it is. There is no code in
a template, only paths."""

import re
from contextlib import suppress
from typing import Any

from studio.errors import StudioError
from studio.graders.base import Case
from studio.graders.reading import NotJson, as_text, final_part, read_json

PLACE = re.compile(r"\{\{(.*?)\}\}|\{(prompt|answer|reference)\}", re.DOTALL)
PATH = re.compile(r"\s*(item|sample)((?:\.[\w-]+|\[\d{1,6}\]|\[\"[^\"\]]+\"\]|\['[^'\]]+'\])+)\s*")
STEP = re.compile(r"\.([\w-]+)|\[(\d+)\]|\[\"([^\"]+)\"\]|\['([^']+)'\]")
PLAIN = {"prompt", "answer", "reference"}


class Missing(Exception):
    """A template names something that is not there: in the row ("item") or the answer ("sample")."""

    def __init__(self, namespace: str):
        super().__init__(namespace)
        self.namespace = namespace


def check(template: str, field: str) -> None:
    """Raises StudioError for a place in double braces that can never be filled."""
    for match in PLACE.finditer(template):
        inside = match.group(1)
        if inside is not None and not PATH.fullmatch(inside):
            raise StudioError(
                f"The template has {{{{{inside.strip()[:60]}}}}}, which names nothing.",
                hint="{{ item.COLUMN }} is a column of the row, {{ sample.output_text }} the answer.",
                field=field,
            )


def render(template: str, case: Case) -> str:
    """The template with its places filled. Raises Missing."""
    spaces: dict[str, Any] = {}

    def fill(match: re.Match[str]) -> str:
        if match.group(2):
            plain = {"prompt": case.prompt, "answer": case.answer, "reference": as_text(case.reference)}
            return plain[match.group(2)]
        found = PATH.fullmatch(match.group(1))
        if found is None:
            return match.group(0)
        namespace, path = found.groups()
        if namespace not in spaces:
            spaces[namespace] = item(case) if namespace == "item" else sample(case)
        return as_text(_follow(spaces[namespace], path, namespace))

    return PLACE.sub(fill, template)


def _follow(value: Any, path: str, namespace: str) -> Any:
    for name, index, *quoted in STEP.findall(path):
        key: Any = int(index) if index else name or "".join(quoted)
        try:
            value = value[int(key)] if isinstance(value, list) and str(key).isdecimal() else value[key]
        except (KeyError, IndexError, TypeError):
            raise Missing(namespace) from None
    return value


def item(case: Case) -> dict[str, Any]:
    """The row as OpenAI's and Amazon's graders get it: its columns, and the prompt as `messages`."""
    found = dict(case.row)
    asked = list(case.messages) or [{"role": "user", "content": case.prompt}]
    if case.messages or case.prompt:  # a row that holds a whole conversation holds the answer too
        found["messages"] = asked
    if case.reference != "":
        found.setdefault("reference_answer", case.reference)
    return found


def sample(case: Case) -> dict[str, Any]:
    """The answer as OpenAI's graders get it. `output_text` is what follows the thinking, as there; arguments
    of tool calls are JSON text; `output_json` is there when the text is JSON."""
    text = final_part(case.answer, "</think>").strip()
    calls = [
        _call(call) for call in (case.completion[-1].get("tool_calls") if case.completion else None) or []
    ]
    message: dict[str, Any] = {"role": "assistant", "content": text}
    found: dict[str, Any] = {"output_text": text, "output_tools": calls}
    if calls:
        message["tool_calls"] = calls
    found["choices"] = [{"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}]
    with suppress(NotJson):
        found["output_json"] = read_json(text)
    return found


def _call(call: Any) -> dict[str, Any]:
    function = call.get("function", call)
    written = {"name": function.get("name", ""), "arguments": as_text(function.get("arguments", {}))}
    return {"id": str(call.get("id", "")), "type": "function", "function": written}
