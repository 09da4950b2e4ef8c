"""A use case as its form holds it: every field a text, half-filled and wrong ones too, until it is saved.

Fields are named as the API names them (`criteria.0.target`), so that a refusal finds its input. Shares are
typed in percent.
"""

from collections.abc import Mapping
from typing import Any

from studio import graders, use_cases
from studio.errors import StudioError
from studio.graders import Grader
from studio.models import Project
from studio.use_cases import MOST_CRITERIA, Criterion, Description

JUDGE = "judge"
PLAIN = ("name", "problem", "users", "stakes")
NUMBERS = ("phase", "model_id", "held_out_id")
PARTS = ("name", "grader", "rubric", "judge", "now", "target")
FIELDS = (
    *PLAIN,
    *NUMBERS,
    *(f"criteria.{place}.{part}" for place in range(MOST_CRITERIA) for part in PARTS),
)


def offered(criterion: Criterion | None = None) -> list[Grader]:
    """The graders a person may choose here: those that a choice is enough for, the judge, and the one that
    was set elsewhere."""
    own = criterion.grader.grader if criterion and criterion.grader else ""
    return [each for each in graders.all() if each.as_it_is or each.name in (JUDGE, own)]


def texts(project: Project) -> dict[str, str]:
    """What stands in the form of a use case that is described already."""
    found = {name: str(getattr(project, name)) for name in PLAIN}
    found |= {name: _text(getattr(project, name)) for name in NUMBERS}
    for place, each in enumerate(use_cases.criteria(project)):
        found |= {f"criteria.{place}.{part}": text for part, text in _parts(each).items()}
    return found


def read(fields: Mapping[str, str], project: Project | None = None) -> Description:
    """The description a form holds. Raises StudioError naming the field that is wrong.

    A grader that was set elsewhere keeps its settings while it stays chosen."""
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


def _parts(criterion: Criterion) -> dict[str, str]:
    choice = criterion.grader
    is_judge = choice is not None and choice.grader == JUDGE
    return {
        "name": criterion.name,
        "grader": choice.grader if choice else "",
        "rubric": str(choice.parameters.get("rubric", "")) if choice and is_judge else "",
        "judge": str(choice.parameters.get("model", "")) if choice and is_judge else "",
        "now": _percent(criterion.now),
        "target": _percent(criterion.target),
    }


def _criterion(fields: Mapping[str, str], place: int, before: Criterion | None) -> dict[str, Any]:
    said = {part: fields.get(f"criteria.{place}.{part}", "").strip() for part in PARTS}
    return {
        "name": said["name"],
        "grader": _grader(said, before),
        "now": _share(said["now"], f"criteria.{place}.now"),
        "target": _share(said["target"], f"criteria.{place}.target"),
    }


def _grader(said: Mapping[str, str], before: Criterion | None) -> dict[str, Any] | None:
    if not said["grader"]:
        return None
    choice: dict[str, Any] = {"grader": said["grader"]}
    if before and before.grader and before.grader.grader == said["grader"]:
        choice = before.grader.model_dump(mode="json")
    if said["grader"] == JUDGE:
        kept = dict(choice.get("parameters", {}))
        choice["parameters"] = kept | {"rubric": said["rubric"], "model": said["judge"]}
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
