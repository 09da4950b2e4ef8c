"""Use cases: a business problem, and what success means in figures.

Up to three criteria, each a sentence, the grader that measures it, what it is now and what it should be. The
first decides: its figure is what the guide asks for as "the metric". A criterion may wait for its grader, and
a judge for its model; until then nothing measures it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import func, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from studio import events, graders, held_out
from studio.datasets import library
from studio.errors import NotFound, Refused, StudioError
from studio.graders.choice import GraderChoice, checked, models_named, settings_of
from studio.guide import document
from studio.models import Climb, Dataset, Model, Project, Prompt, Recommendation, Run
from studio.parameters import about

MOST_CRITERIA = 3
FIELDS = ("name", "problem", "users", "stakes", "phase", "model_id", "held_out_id")


class Criterion(BaseModel):
    """`grader` measures it (a rubric is the judge's); None while none was chosen. `now` and `target` are
    shares of one; `now` is what a person said before anything was measured here."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(min_length=1, max_length=200)
    grader: GraderChoice | None = None
    now: float | None = Field(None, ge=0, le=1, allow_inf_nan=False)
    target: float | None = Field(None, ge=0, le=1, allow_inf_nan=False)


class Description(BaseModel):
    """What a person says of a use case. `phase` is the highest of the guide's that is done; `model_id` is
    what training begins with, `held_out_id` the dataset version that is measured on."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field("", max_length=200)
    problem: str = Field("", max_length=20_000)
    users: str = Field("", max_length=20_000)
    stakes: str = ""
    criteria: list[Criterion] = Field(default_factory=list)
    phase: int = Field(0, ge=0, le=4)
    model_id: int | None = None
    held_out_id: int | None = None


# ---- described, changed, removed ----------------------------------------------------------------------


def create(session: Session, told: Description, who: str = "") -> Project:
    """Raises StudioError naming the field that is wrong, as `update` does."""
    project = Project()
    _write(session, project, told)
    session.add(project)
    session.flush()
    events.record(session, "use case described", _subject(project), who, **_said(project))
    return project


def update_to(session: Session, project_id: int, told: Description, who: str = "") -> Project:
    """Takes over what was said; fields that were left out stay as they are."""
    project = get(session, project_id)
    before = _said(project)
    _write(session, project, told)
    after = _said(project)
    if changed := [name for name in after if after[name] != before[name]]:
        details = {name: {"before": before[name], "after": after[name]} for name in changed}
        events.record(session, "use case changed", _subject(project), who, **details)
    return project


def remove(session: Session, project_id: int, who: str = "", *, detach: bool = False) -> None:
    """Forgets a use case with its prompts and its kinds of failure. Datasets, runs and advice are never
    removed with it: with `detach` they belong to no use case afterwards, without it they stand in the way."""
    project = get(session, project_id)
    if session.scalar(select(Climb.id).where(Climb.project_id == project.id, Climb.state == "going")):
        raise Refused(f"“{project.name}” is climbing by itself.", hint="Stop the climb first.")
    hanging = belongings(session, project.id)
    if hanging and not detach:
        raise Refused(
            f"{_listing(hanging)} of “{project.name}” would be left without a use case.",
            hint="Say that they are to be kept on their own, or move them first.",
        )
    for owner in (Dataset, Run, Recommendation):
        session.execute(update(owner).where(owner.project_id == project.id).values(project_id=None))
    events.record(session, "use case removed", _subject(project), who, **_said(project), kept=hanging)
    session.delete(project)


def assign(session: Session, dataset_id: int, project_id: int | None, who: str = "") -> Dataset:
    """Makes a dataset that of a use case, or of none."""
    dataset = library.get(session, dataset_id)
    if project_id is not None:
        get(session, project_id)
    if dataset.project_id != project_id:
        details = {"before": dataset.project_id, "after": project_id}
        events.record(session, "dataset assigned", f"dataset:{dataset.id}", who, **details)
        dataset.project_id = project_id
    return dataset


# ---- found --------------------------------------------------------------------------------------------


def get(session: Session, project_id: int) -> Project:
    found = session.get(Project, project_id)
    if found is None:
        raise NotFound(f"There is no use case {project_id}.", hint="The Use cases page lists them.")
    return found


def listed(session: Session) -> list[tuple[Project, datetime]]:
    """Every use case and when something last happened in it, the latest first."""
    latest = _latest(session)
    found = [(project, latest[project.id]) for project in session.scalars(select(Project))]
    return sorted(found, key=lambda each: (each[1], each[0].id), reverse=True)


def current(session: Session) -> Project | None:
    """The one in which something happened last."""
    return next((project for project, _ in listed(session)), None)


def belongings(session: Session, project_id: int) -> dict[str, int]:
    """How many datasets, runs and recommendations are its own; kinds of which there are none are left out."""
    owners: dict[str, InstrumentedAttribute[int | None]] = {
        "dataset": Dataset.project_id,
        "run": Run.project_id,
        "recommendation": Recommendation.project_id,
    }
    counted = {
        word: session.scalar(select(func.count(owner)).where(owner == project_id)) or 0
        for word, owner in owners.items()
    }
    return {word: count for word, count in counted.items() if count}


def _latest(session: Session) -> dict[int, datetime]:
    """Project id → when something last happened in it."""
    happened: Sequence[tuple[InstrumentedAttribute[Any], InstrumentedAttribute[Any]]] = (
        (Project.id, Project.created),
        (Run.project_id, Run.created),
        (Run.project_id, Run.ended),
        (Recommendation.project_id, Recommendation.updated),
        (Prompt.project_id, Prompt.created),
    )
    latest: dict[int, datetime] = {}
    for owner, time in happened:
        query = select(owner, func.max(time)).where(owner.is_not(None), time.is_not(None)).group_by(owner)
        for project_id, moment in session.execute(query):
            latest[project_id] = max(moment, latest.get(project_id, moment))
    return latest


# ---- criteria -----------------------------------------------------------------------------------------


def criteria(project: Project) -> list[Criterion]:
    """What success means, the one that decides first."""
    return [Criterion.model_validate(each) for each in project.criteria]


def target(project: Project) -> float | None:
    """The target of the criterion that decides."""
    return next((each.target for each in criteria(project)[:1]), None)


def kept(given: list[Criterion]) -> list[dict[str, Any]]:
    """Criteria as a project keeps them."""
    return [each.model_dump(mode="json") for each in given]


def lacking(criterion: Criterion) -> str:
    """What keeps a criterion from being measured, in words; empty where nothing does."""
    if criterion.grader is None:
        return "No grader is chosen for it."
    if missing := _missing(criterion.grader):
        return f"No {missing.lower()} is chosen for it."
    return ""


def measured_by(project: Project) -> list[GraderChoice]:
    """The graders of those criteria that can be measured, in their order, ready for a run; equal names told
    apart."""
    taken: set[str] = set()
    ready = [each.grader for each in criteria(project) if each.grader and not lacking(each)]
    return [_checked_grader(each, taken) for each in ready]


def _missing(choice: GraderChoice) -> str:
    """What it is called that a grader still lacks a model for; empty where nothing is lacking."""
    fields = graders.get(choice.grader).parameters.model_fields
    named = {name: field for name, field in fields.items() if about(field).get("kind") == "model"}
    lacking = named.keys() - models_named(choice).keys()
    return next((field.title or name for name, field in named.items() if name in lacking), "")


# ---- checked ------------------------------------------------------------------------------------------


def read(given: dict[str, Any]) -> Description:
    """A description from JSON. Raises StudioError naming the field, such as `criteria.0.target`."""
    try:
        return Description.model_validate(given)
    except ValidationError as problem:
        first = problem.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        if field.endswith("name") and first["type"] == "string_too_short":
            raise StudioError(
                "This criterion says nothing yet.",
                hint="Write in one sentence what a good answer is, or clear its other fields.",
                field=field,
            ) from problem
        raise StudioError(f"{field}: {first['msg']}.", field=field) from problem


def _write(session: Session, project: Project, told: Description) -> None:
    """Checks what was said and puts it into the project; nothing is put where something is wrong."""
    said = told.model_fields_set | (set() if project.id else {"name"})
    values = {name: getattr(told, name) for name in FIELDS if name in said}
    if "name" in said:
        values["name"] = _checked_name(session, project, told.name.strip())
    if "stakes" in said and told.stakes not in ("", *stakes()):
        raise StudioError("The stakes are low, medium or high.", hint="Or leave them open.", field="stakes")
    if told.model_id is not None:
        _check_model(session, told.model_id)
    if told.held_out_id is not None:
        with _field("held_out_id"):
            held_out.questions(session, told.held_out_id)
    if "criteria" in said:
        values["criteria"] = kept(_checked_criteria(told.criteria))
    for name, value in values.items():
        setattr(project, name, value)


def stakes() -> dict[str, str]:
    """What may be said of the stakes, each in the guide's words."""
    return {str(option.value): option.label for option in document.load().fields["stakes"].options}


def _checked_name(session: Session, project: Project, name: str) -> str:
    if not name:
        raise StudioError(
            "A use case needs a name.", hint="A few words, such as “Medication directions”.", field="name"
        )
    with session.no_autoflush:
        other = session.scalar(select(Project.id).where(Project.name == name))
    if other not in (None, project.id):
        raise StudioError(
            f"There is a use case called “{name}” already.", hint="Give this one another name.", field="name"
        )
    return name


def _check_model(session: Session, model_id: int) -> None:
    model = session.get(Model, model_id)
    if model is None or model.kind != "language":
        raise StudioError(
            f"Model {model_id} is none that answers.",
            hint="Choose a language model of the Models page.",
            field="model_id",
        )


def _checked_criteria(given: list[Criterion]) -> list[Criterion]:
    """The criteria with every setting of their graders, and names that tell these apart."""
    if len(given) > MOST_CRITERIA:
        raise StudioError(
            f"{len(given)} criteria are more than the {MOST_CRITERIA} there may be.",
            hint="Keep those that would change a decision.",
            field="criteria",
        )
    found: list[Criterion] = []
    taken: set[str] = set()
    for place, each in enumerate(given):
        with _field(f"criteria.{place}.grader"):
            choice = _checked_grader(each.grader, taken) if each.grader else None
        found.append(each.model_copy(update={"name": each.name.strip(), "grader": choice}))
    return found


def _checked_grader(choice: GraderChoice, taken: set[str]) -> GraderChoice:
    name = wanted = choice.name.strip() or choice.grader
    number = 1
    while name in taken:
        number += 1
        name = f"{wanted} {number}"
    taken.add(name)
    settings = settings_of(choice).model_dump(mode="json")
    named = choice.model_copy(update={"name": name, "parameters": settings})
    return named if _missing(named) else checked([named])[0]


@contextmanager
def _field(name: str) -> Iterator[None]:
    """What is refused inside is refused as this field's."""
    try:
        yield
    except StudioError as problem:
        raise StudioError(problem.message, hint=problem.hint, field=name) from problem


def _subject(project: Project) -> str:
    return f"project:{project.id}"


def _said(project: Project) -> dict[str, Any]:
    return {name: getattr(project, name) for name in (*FIELDS, "criteria")}


def _listing(counted: dict[str, int]) -> str:
    """“2 datasets and 1 run”."""
    parts = [f"{count} {word}{'s' if count > 1 else ''}" for word, count in counted.items()]
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
