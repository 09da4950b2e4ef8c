"""The eight questions: what is asked, which answers are allowed, and answers read from outside.

Titles, help, options, bounds and defaults come from `guide.json`; here only the names and Python types stand,
and an import fails if the two ever differ. Leaving an answer out, or giving null, means "I do not know" and
falls to the guide's default. Nothing is decided here.
"""

import difflib
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core.core_schema import ValidationInfo

from studio.errors import StudioError
from studio.guide.document import Question, load


def _asked(name: str) -> Any:
    question = load().fields[name]
    extra: dict[str, Any] = {"examples": [question.example]}
    if question.options:
        extra["enum"] = [option.value for option in question.options]
    return Field(
        default=load().defaults[name],
        title=question.title,
        description=question.help,
        ge=question.min,
        le=question.max,
        allow_inf_nan=None if question.kind in ("choice", "yes_no", "whole") else False,
        json_schema_extra=extra,
    )


class Answers(BaseModel):
    """One person's answers. `model_fields_set` holds what was answered; the rest are the guide's defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task_type: str = _asked("task_type")
    multi_turn: bool = _asked("multi_turn")
    main_gap: str = _asked("main_gap")
    phase_done: int = _asked("phase_done")
    metric_now: float | None = _asked("metric_now")
    metric_target: float | None = _asked("metric_target")
    n_labelled: int = _asked("n_labelled")
    n_pairs: int = _asked("n_pairs")
    n_binary_pos: int = _asked("n_binary_pos")
    n_binary_neg: int = _asked("n_binary_neg")
    n_ratings: int = _asked("n_ratings")
    n_prompts: int = _asked("n_prompts")
    n_domain_tokens_m: float = _asked("n_domain_tokens_m")
    n_query_passages: int = _asked("n_query_passages")
    reward: str = _asked("reward")
    pass_at_8: float | None = _asked("pass_at_8")
    stakes: str = _asked("stakes")
    arch: str = _asked("arch")
    params_b: float = _asked("params_b")
    out_tokens: int = _asked("out_tokens")
    gpu_gb: float = _asked("gpu_gb")
    volume_per_day: int = _asked("volume_per_day")
    latency_ms_max: int | None = _asked("latency_ms_max")
    budget_usd: int | None = _asked("budget_usd")
    weeks: int | None = _asked("weeks")

    @model_validator(mode="before")
    @classmethod
    def _leave_out_the_unknown(cls, data: Any) -> Any:
        if isinstance(data, Mapping):
            return {
                name: value for name, value in data.items() if value is not None or name not in load().fields
            }
        return data

    @field_validator("*", mode="before")
    @classmethod
    def _keep_kinds_apart(cls, value: Any, info: ValidationInfo) -> Any:
        question = load().fields[info.field_name or ""]
        if isinstance(value, bool) is not (question.kind == "yes_no"):
            raise ValueError("a yes or no is not a number or a choice, nor the other way round")
        if question.options and value not in [option.value for option in question.options]:
            raise ValueError("not one of the options")
        return value


if set(Answers.model_fields) != set(load().fields):
    raise RuntimeError("Answers and guide.json name different fields.")


class GuideStep(BaseModel):
    """One of the eight screens: its title, a line of help, and the fields asked on it."""

    id: str
    title: str
    help: str
    fields: list[str]


def list_steps() -> list[GuideStep]:
    """The eight steps in order."""
    guide = load()
    steps = []
    for key, fields in guide.questions.items():
        step_id, title = key.split(" ", 1)
        steps.append(GuideStep(id=step_id, title=title, help=guide.steps[step_id].help, fields=list(fields)))
    return steps


def get_question(field: str) -> Question:
    """Title, help, example, options and bounds of one field. Raises StudioError for an unknown name."""
    question = load().fields.get(field)
    if question is None:
        raise _unknown_field(field)
    return question


def describe_allowed(field: str) -> str:
    """What may be answered to a field, as one sentence."""
    question = get_question(field)
    if question.kind == "choice":
        return "Choose one of: " + ", ".join(str(option.value) for option in question.options) + "."
    if question.kind == "yes_no":
        return "Answer true or false."
    number = "a whole number" if question.kind == "whole" else "a number"
    return f"Give {number} from {question.min:,g} to {int(question.max or 0):,}."


def read_answers(data: Any) -> Answers:
    """Answers from JSON-like data; missing and null ones take the guide's defaults.

    Raises StudioError naming the first field that is wrong and what it may be.
    """
    if not isinstance(data, Mapping):
        raise StudioError(
            "Answers must be an object of field names and values.",
            hint='For example {"main_gap": "task_accuracy", "n_labelled": 800}.',
        )
    for name in data:
        if name not in load().fields:
            raise _unknown_field(str(name))
    try:
        return Answers.model_validate(data)
    except ValidationError as error:
        field = str(error.errors()[0]["loc"][0])
        raise StudioError(
            f"'{field}' ({get_question(field).title}) cannot be {data[field]!r}.",
            hint=describe_allowed(field) + " Leave it out, or give null, if you do not know.",
            field=field,
        ) from error


def _unknown_field(name: str) -> StudioError:
    known = list(load().fields)
    near = difflib.get_close_matches(name, known, n=3)
    hint = f"Did you mean {' or '.join(near)}?" if near else "The guide asks: " + ", ".join(known) + "."
    return StudioError(f"The guide has no field called '{name}'.", hint=hint, field=name)
