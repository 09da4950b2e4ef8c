"""Environments give a model tools to call while it answers. A file each, discovered."""

import sys
from typing import Any

import orjson

from studio import parameters
from studio.environments.base import Environment, Tool
from studio.registry import Registry

_registry: Registry[Environment] = Registry(sys.modules[__name__], "ENVIRONMENT", "environment")
all = _registry.all
get = _registry.get
has = _registry.__contains__


def settings_of(name: str, text: str) -> dict[str, Any]:
    """The settings of an environment, validated and complete, from the JSON text that a run keeps.

    Raises NotFound for an environment that is not there, StudioError for a wrong setting."""
    environment = get(name)
    given = orjson.loads(text) if text.strip() else {}
    if not isinstance(given, dict):
        given = {"settings": given}  # refused below, with the names of the settings there are
    return parameters.validate(environment.parameters, given, environment.title).model_dump(mode="json")


__all__ = ["Environment", "Tool", "all", "get", "has", "settings_of"]
