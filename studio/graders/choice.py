"""The graders of a run, with their settings and weights: its reward is the weighted sum of their scores."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from studio import graders, parameters
from studio.errors import StudioError
from studio.graders.base import Score
from studio.parameters import Parameters, about


class GraderChoice(BaseModel):
    """`name` is how charts and tables call it; empty, the grader's own name."""

    model_config = ConfigDict(extra="forbid")
    grader: str
    name: str = Field("", max_length=60, pattern=r"^[\w .:+-]*$")
    weight: float = Field(1.0, ge=-1000, le=1000, allow_inf_nan=False)
    parameters: dict[str, Any] = Field(default_factory=dict)


def checked(choices: Sequence[GraderChoice]) -> list[GraderChoice]:
    """The choices with every setting filled in and names that are all different.

    Raises StudioError for a grader that is not there, a wrong setting, two of the same name."""
    found: list[GraderChoice] = []
    for choice in choices:
        settings = settings_of(choice)
        grader = graders.get(choice.grader)
        for name, field in grader.parameters.model_fields.items():
            if about(field).get("kind") == "model" and choice.parameters.get(name) in (None, ""):
                raise StudioError(
                    f"{grader.title} has no {(field.title or name).lower()}.",
                    hint="Choose one of the studio's models for it.",
                    field="graders",
                )
        if grader.prepare is not None:
            grader.prepare(settings)
        found.append(
            choice.model_copy(
                update={
                    "name": choice.name.strip() or choice.grader,
                    "parameters": settings.model_dump(mode="json"),
                }
            )
        )
    names = [choice.name for choice in found]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise StudioError(
            f"Two graders are called “{twice}”.",
            hint="Give one of them another name: charts tell them apart by it.",
            field="graders",
        )
    return found


def settings_of(choice: GraderChoice) -> Parameters:
    """The grader's own settings, validated. Raises StudioError naming the field."""
    grader = graders.get(choice.grader)
    return parameters.validate(grader.parameters, choice.parameters, grader.title)


def models_named(choice: GraderChoice) -> dict[str, str]:
    """The settings that name a model of the studio: {field: reference}."""
    fields = graders.get(choice.grader).parameters.model_fields
    return {
        name: str(choice.parameters[name])
        for name, field in fields.items()
        if about(field).get("kind") == "model" and choice.parameters.get(name) not in ("", None)
    }


def weighted(weights: Sequence[float], scores: Sequence[Score]) -> Score:
    """Σ weight × score over the graders that had something to say; None when none had."""
    told = [weight * score for weight, score in zip(weights, scores, strict=True) if score is not None]
    return sum(told) if told else None
