"""The versions of how a use case's question is put, which the prompt lab makes, measures and compares.

A version never changes: an edit makes the next number. What is known of each is worked out by `measuring`,
what lies between two by `differences`; `examples` finds solved ones among the training rows.
"""

from typing import Any

from pydantic import ValidationError
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from studio import events, use_cases
from studio.datasets import library
from studio.errors import NotFound, Refused, StudioError
from studio.held_out import held_out_of, taken_apart
from studio.models import DatasetVersion, Kind, Project, Prompt, Run
from studio.prompting import Prompting, apply, fill
from studio.prompts import examples


def create(
    session: Session,
    project_id: int,
    prompting: Prompting,
    *,
    name: str = "",
    parent_id: int | None = None,
    who: str = "",
) -> Prompt:
    """Keeps the next version. Raises StudioError where an example lacks a field that the template names, and
    Refused where an example is a held-out question, or nothing differs from a version there is."""
    project = use_cases.get(session, project_id)
    check_examples(prompting)
    if held_out := held_out_of(session, project):
        examples.check_unseen(prompting, held_out)
    known = of(session, project_id)
    if same := next((each for each in known if prompting_of(each) == prompting), None):
        raise Refused(f"{title(same)} says exactly this.", hint="Change something first.", field="template")
    if parent_id is not None and get(session, parent_id).project_id != project_id:
        raise StudioError(f"Version {parent_id} belongs to another use case.", field="parent")
    made = Prompt(
        project_id=project_id,
        number=max((each.number for each in known), default=0) + 1,
        name=name.strip()[:200],
        prompting=prompting.model_dump(mode="json"),
        parent_id=parent_id,
    )
    session.add(made)
    session.flush()
    events.record(session, "prompt version added", f"prompt:{made.id}", who, number=made.number)
    return made


def read(given: dict[str, Any]) -> Prompting:
    """What a form sent as a prompting. Raises StudioError naming the field that is wrong."""
    try:
        return Prompting.model_validate(given)
    except ValidationError as problem:
        first = problem.errors(include_url=False)[0]
        place = [str(part) for part in first["loc"]]
        if place[-1:] == ["input"] and first["type"] == "string_too_short":
            raise _without_question(int(place[1])) from problem
        where = f"Example {int(place[1]) + 1}" if place[0] == "examples" and len(place) > 1 else place[0]
        said = f"{first['msg'][:1].lower()}{first['msg'][1:]}"
        raise StudioError(f"{where.capitalize()}: {said}.", field=".".join(place)) from problem


def _without_question(place: int) -> StudioError:
    return StudioError(
        f"Example {place + 1} has no question.",
        hint="Write one, or remove the example.",
        field=f"examples.{place}",
    )


def check_examples(prompting: Prompting) -> None:
    """Raises StudioError for an example without a question, or without a field that the template names."""
    for number, each in enumerate(prompting.examples, 1):
        if not each.input.strip():
            raise _without_question(number - 1)
        try:
            fill(prompting.template, each.input, each.fields)
        except StudioError as problem:
            lacking = next(name for name in prompting.named if name not in each.fields)
            raise StudioError(
                f"Example {number} has no {{{lacking}}}, which the template names.",
                hint="Fill it in, or take it out of the template.",
                field=f"examples.{number - 1}",
            ) from problem


def put(version: DatasetVersion, number: int, prompting: Prompting) -> tuple[list[dict[str, Any]], str]:
    """The messages a model gets about a row (from 0), and the answer that is wanted. Raises StudioError for
    what does not fit the row."""
    row = next(iter(library.rows_of(version, min(number, version.rows - 1), 1)), {})
    asked, reference = taken_apart(row)
    return apply(prompting, asked, row), reference


def get(session: Session, prompt_id: int) -> Prompt:
    found = session.get(Prompt, prompt_id)
    if found is None:
        raise NotFound(f"There is no prompt version {prompt_id}.", hint="The Prompt lab lists them.")
    return found


def of(session: Session, project_id: int) -> list[Prompt]:
    """The versions of a use case, the newest first."""
    wanted = select(Prompt).where(Prompt.project_id == project_id).order_by(Prompt.number.desc())
    return list(session.scalars(wanted))


def prompting_of(prompt: Prompt) -> Prompting:
    return Prompting.model_validate(prompt.prompting)


def title(prompt: Prompt) -> str:
    """How lists and tables call a version."""
    return f"v{prompt.number} · {prompt.name}" if prompt.name else f"v{prompt.number}"


def rename(session: Session, prompt_id: int, name: str, who: str = "") -> Prompt:
    """A name is no part of what a model is asked, so it may change."""
    found = get(session, prompt_id)
    found.name = name.strip()[:200]
    events.record(session, "prompt version renamed", f"prompt:{found.id}", who, name=found.name)
    return found


def choose(session: Session, project: Project, prompt_id: int | None, who: str = "") -> None:
    """Makes a version the one that the use case asks with; None: as its rows are."""
    if prompt_id is not None and get(session, prompt_id).project_id != project.id:
        raise StudioError(f"Version {prompt_id} belongs to another use case.", field="prompt")
    project.prompt_id = prompt_id
    events.record(session, "prompt version chosen", f"project:{project.id}", who, prompt=prompt_id)


def remove(session: Session, prompt_id: int, who: str = "") -> None:
    """Forgets a version that nothing used."""
    found = get(session, prompt_id)
    if use_cases.get(session, found.project_id).prompt_id == found.id:
        raise Refused(f"{title(found)} is how this use case asks.", hint="Choose another version first.")
    if used := evaluations_with(session, found):
        raise Refused(
            f"Evaluation {used[0].id} asked with {title(found)}.",
            hint="Its figures must say what was asked, so delete that evaluation first.",
        )
    events.record(session, "prompt version removed", f"prompt:{found.id}", who, number=found.number)
    session.delete(found)


def evaluations_with(session: Session, prompt: Prompt) -> list[Run]:
    """The evaluations that a version took part in, the newest first."""
    return [run for run in evaluations_of(session, prompt.project_id) if prompt.id in asked_with(run)]


def evaluations_of(session: Session, project_id: int) -> list[Run]:
    """The evaluations of a use case, the newest first."""
    wanted = select(Run).where(Run.kind == Kind.EVALUATE, Run.project_id == project_id)
    return list(session.scalars(wanted.order_by(Run.id.desc())))


def asked_with(run: Run) -> list[int | None]:
    """The version each contestant of an evaluation was asked with; None for one asked in no version."""
    return [each.get("prompt") for each in run.parameters["contestants"]]


def newest_project(session: Session) -> Project | None:
    """The use case of the newest run that has one, else the newest."""
    number = session.scalar(select(func.max(Run.id)).where(Run.project_id.is_not(None)))
    run = session.get(Run, number) if number else None
    if run is not None:
        return session.get(Project, run.project_id)
    return session.scalar(select(Project).order_by(Project.id.desc()).limit(1))
