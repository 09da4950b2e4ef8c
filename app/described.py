"""A use case as its form holds it: every field a text, half-filled and wrong ones too, until it is saved.

Fields are named as the API names them (`criteria.0.target`), so that a refusal finds its input; the settings
of a criterion's grader are `criteria.0.settings:regex:pattern`. Shares are typed in percent.
"""

from collections.abc import Mapping
from typing import Any

from app import measured_by
from app.forms import Field
from studio import graders, use_cases
from studio.errors import StudioError
from studio.models import Project
from studio.use_cases import MOST_CRITERIA, Criterion, Description

PLAIN = ("name", "problem", "users", "stakes")
NUMBERS = ("phase", "model_id", "held_out_id")
PARTS = ("name", "grader", "now", "target")
FIELDS = (
    *PLAIN,
    *NUMBERS,
    *(f"criteria.{place}.{part}" for place in range(MOST_CRITERIA) for part in PARTS),
)


def prefix(place: int) -> str:
    """What the names of a criterion's settings begin with."""
    return f"criteria.{place}.settings"


SETTINGS = tuple(
    field.path
    for place in range(MOST_CRITERIA)
    for grader in graders.all()
    for field in measured_by.fields(grader, prefix(place))
)


def settings(fields: Mapping[str, str], place: int) -> list[Field]:
    """The inputs of the grader that a criterion chose, with what stands in them."""
    name = fields.get(f"criteria.{place}.grader", "")
    if not graders.has(name):
        return []
    begin = f"{prefix(place)}:{name}:"
    given = {path.removeprefix(begin): text for path, text in fields.items() if path.startswith(begin)}
    return measured_by.fields(graders.get(name), prefix(place), given)


def texts(project: Project) -> dict[str, str]:
    """What stands in the form of a use case that is described already."""
    found = {name: str(getattr(project, name)) for name in PLAIN}
    found |= {name: _text(getattr(project, name)) for name in NUMBERS}
    for place, each in enumerate(use_cases.criteria(project)):
        found |= _texts_of(each, place)
    return found


def read(fields: Mapping[str, str], project: Project | None = None) -> Description:
    """The description a form holds. Raises StudioError naming the field that is wrong.

    A grader keeps the settings that have no input here while it stays chosen."""
    given: dict[str, Any] = {name: fields.get(name, "").strip() for name in PLAIN}
    given |= {name: _whole(fields.get(name, "")) for name in ("model_id", "held_out_id")}
    given["phase"] = _whole(fields.get("phase", "")) or 0
    before = use_cases.criteria(project) if project else []
    given["criteria"] = [
        _criterion(fields, place, before[place] if place < len(before) else None) for place in places(fields)
    ]
    try:
        return use_cases.read(given)
    except StudioError as problem:
        raise in_place(problem, fields) from problem


def places(fields: Mapping[str, str]) -> list[int]:
    """The criteria of the form that say anything."""
    return [
        place
        for place in range(MOST_CRITERIA)
        if any(fields.get(f"criteria.{place}.{part}", "").strip() for part in PARTS)
    ]


def in_place(problem: StudioError, fields: Mapping[str, str]) -> StudioError:
    """The refusal, its criterion counted as the form counts them: empty ones were left out."""
    first, _, rest = problem.field.partition(".")
    if first != "criteria" or not rest:
        return problem
    place, _, part = rest.partition(".")
    field = f"criteria.{places(fields)[int(place)]}.{part}"
    return type(problem)(problem.message, hint=problem.hint, field=field)


def _texts_of(criterion: Criterion, place: int) -> dict[str, str]:
    choice = criterion.grader
    said = {
        "name": criterion.name,
        "grader": choice.grader if choice else "",
        "now": _percent(criterion.now),
        "target": _percent(criterion.target),
    }
    inputs = (
        measured_by.fields(graders.get(choice.grader), prefix(place), choice.parameters) if choice else []
    )
    return {f"criteria.{place}.{part}": text for part, text in said.items()} | {
        field.path: field.value for field in inputs
    }


def _criterion(fields: Mapping[str, str], place: int, before: Criterion | None) -> dict[str, Any]:
    said = {part: fields.get(f"criteria.{place}.{part}", "").strip() for part in PARTS}
    return {
        "name": said["name"],
        "grader": _grader(fields, place, said["grader"], before),
        "now": _share(said["now"], f"criteria.{place}.now"),
        "target": _share(said["target"], f"criteria.{place}.target"),
    }


def _grader(
    fields: Mapping[str, str], place: int, name: str, before: Criterion | None
) -> dict[str, Any] | None:
    if not name:
        return None
    choice: dict[str, Any] = {"grader": name}
    if before and before.grader and before.grader.grader == name:
        choice = before.grader.model_dump(mode="json")
    if graders.has(name):
        typed = measured_by.typed(graders.get(name), fields, prefix(place))
        choice["parameters"] = choice.get("parameters", {}) | typed
    return choice


def _share(text: str, field: str) -> float | None:
    if not text:
        return None
    try:
        share = round(float(text.removesuffix("%").strip().replace(",", ".")) / 100, 6)
    except ValueError:
        share = -1
    if not 0 <= share <= 1:
        raise StudioError(
            f"“{text[:20]}” is no share of the answers.", hint="Give a number from 0 to 100.", field=field
        )
    return share


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.10g}"


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _text(number: int | None) -> str:
    return "" if number is None else str(number)
