"""How a setting is described once: its type, default, bounds, plain words and source.

Form, validation, API schema, stored JSON and trainer arguments are all made from the classes built
with `setting`, so a setting exists in one place.
"""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from studio.errors import StudioError


class Parameters(BaseModel):
    """Base of every class of settings: unknown names are refused, not ignored."""

    model_config = ConfigDict(extra="forbid", validate_default=True)


class NoParameters(Parameters):
    """Nothing to set."""


def setting(
    default: Any,
    title: str,
    help: str,
    *,
    source: str = "",
    basic: bool = False,
    unit: str = "",
    ours: bool = False,
    kind: str = "",
    **bounds: Any,
) -> Any:
    """One setting. `basic` ones are shown first; `source` says where the default comes from.

    `ours` are for the studio and no argument of the trainer. `kind` says what a text holds that is more than
    a text: "model" (one of the studio's), "environment", "code", "json" or "words" (several lines)."""
    about: dict[str, Any] = {"source": source, "basic": basic, "unit": unit, "ours": ours, "kind": kind}
    return Field(default, title=title, description=help, json_schema_extra=about, **bounds)


def about(field: FieldInfo) -> dict[str, Any]:
    extra = field.json_schema_extra
    return dict(extra) if isinstance(extra, dict) else {}


def validate(kind: type[Parameters], values: dict[str, Any], where: str) -> Parameters:
    """`values` as a `kind`; a wrong one raises StudioError that names the field and its bounds."""
    try:
        return kind.model_validate(values)
    except ValidationError as problem:
        first = problem.errors(include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        raise StudioError(
            _sentence(kind, name, first, where), hint=_help(kind, name), field=name
        ) from problem


def _sentence(kind: type[Parameters], name: str, problem: Any, where: str) -> str:
    if problem["type"] == "extra_forbidden":
        near = _nearest(name, list(kind.model_fields))
        return f"{where} has no setting “{name}”{near}."
    field = kind.model_fields.get(name)
    title = field.title if field and field.title else name
    return f"{title}: {problem['msg'][0].lower() + problem['msg'][1:]} (got {problem['input']!r})."


def _help(kind: type[Parameters], name: str) -> str:
    field = kind.model_fields.get(name)
    return (field.description or "") if field else f"Settings: {', '.join(kind.model_fields)}."


def _nearest(name: str, names: Sequence[str]) -> str:
    import difflib

    close = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean “{close[0]}”?" if close else ""
