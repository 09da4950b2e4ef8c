"""What a grader is set to, in forms that choose graders: its inputs, and what was typed, read back.

In the form of a new evaluation each grader that needs settings stands once; who wants two of a kind sends
both to `POST /api/evaluations`. In the form of a use case a criterion has the inputs of its own grader.
"""

from collections.abc import Mapping
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


def fields(grader: Grader, prefix: str = PREFIX, given: Mapping[str, Any] | None = None) -> list[Field]:
    """Inputs with what was `given` in them, or else the grader's own values."""
    kind = grader.parameters
    own = forms.defaults(kind)
    described = forms.describe(kind, f"{prefix}:{grader.name}", own | dict(given or {}), own)
    return [field for field in described if field.is_basic]


def typed(grader: Grader, body: Mapping[str, Any], prefix: str = PREFIX) -> dict[str, Any]:
    """The settings that inputs of these names were sent for."""
    kind = grader.parameters
    return {
        name: forms.read(kind, name, forms.as_text(body[path]))
        for name in kind.model_fields
        if (path := f"{prefix}:{grader.name}:{name}") in body
    }


def gathered(body: dict[str, Any]) -> dict[str, Any]:
    """What the form sent, with the settings of each ticked grader in its place; those of others are left."""
    ticked = body.get("graders", [])
    ticked = ticked if isinstance(ticked, list) else [ticked]
    kept = {name: value for name, value in body.items() if not name.startswith(f"{PREFIX}:")}
    return kept | {"graders": [_choice(each, body) if isinstance(each, str) else each for each in ticked]}


def _choice(name: str, body: dict[str, Any]) -> dict[str, Any]:
    grader = graders.get(name)
    differing = forms.differing(typed(grader, body), forms.defaults(grader.parameters))
    return {"grader": name, "parameters": differing}
