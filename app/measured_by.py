"""Metrics that need settings, in the form of a new evaluation: their inputs, and what was typed, read back.

Each grader stands there once; who wants two of a kind sends both to `POST /api/evaluations`.
"""

from dataclasses import dataclass
from typing import Any

from app import forms
from app.forms import Field
from studio import graders
from studio.graders import Grader

PREFIX = "settings"


@dataclass(frozen=True)
class Offered:
    """A grader with the inputs of its basic settings; their paths are the inputs' names."""

    grader: Grader
    fields: list[Field]


def offered() -> list[Offered]:
    """Graders that a tick alone does not make useful."""
    return [Offered(grader, fields(grader)) for grader in graders.all() if not grader.as_it_is]


def fields(grader: Grader) -> list[Field]:
    kind = grader.parameters
    values = forms.defaults(kind)
    described = forms.describe(kind, f"{PREFIX}:{grader.name}", values, values)
    return [field for field in described if field.is_basic]


def gathered(body: dict[str, Any]) -> dict[str, Any]:
    """What the form sent, with the settings of each ticked grader in its place; those of others are left."""
    ticked = body.get("graders", [])
    ticked = ticked if isinstance(ticked, list) else [ticked]
    kept = {name: value for name, value in body.items() if not name.startswith(f"{PREFIX}:")}
    return kept | {"graders": [_choice(each, body) if isinstance(each, str) else each for each in ticked]}


def _choice(name: str, body: dict[str, Any]) -> dict[str, Any]:
    kind = graders.get(name).parameters
    typed = {
        field: forms.read(kind, field, forms.as_text(body[path]))
        for field in kind.model_fields
        if (path := f"{PREFIX}:{name}:{field}") in body
    }
    return {"grader": name, "parameters": forms.differing(typed, forms.defaults(kind))}
