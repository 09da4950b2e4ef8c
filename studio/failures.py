"""What went wrong in an evaluation, answer by answer, and the kinds of failure that its people name.

An answer failed where the metric that decides, the evaluation's first, gave it less than full marks; where
that has no highest score, less than the best answer got. One failure may be of several kinds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session

from studio import evaluations, events, graders, use_cases
from studio.datasets import library
from studio.errors import NotFound, Refused, StudioError
from studio.evaluations.results import GREEDY
from studio.held_out import held_out_of, taken_apart, text_of
from studio.models import EvaluationItem, FailureKind, FailureMark, Kind, Project, Run

UNNAMED = "unnamed"  # in place of a kind: failures that have none yet

Marks = Mapping[int, Mapping[int, set[int]]]  # {contestant: {number: kinds}}


@dataclass(frozen=True)
class Failure:
    """An answer that fell short; `number` is its row's, from 0; `kinds` are ids."""

    number: int
    prompt: str
    answer: str
    reference: str
    score: float
    kinds: list[int]


@dataclass(frozen=True)
class Count:
    """How many failures of each contestant are of one kind (None: of none yet), and which share of all its
    failures that is."""

    kind: FailureKind | None
    numbers: list[int]
    shares: list[float]


@dataclass(frozen=True)
class Counts:
    """`failed` of `asked`, a number each contestant; `kinds` the most frequent first, the unnamed last."""

    failed: list[int]
    asked: list[int]
    kinds: list[Count]


# ---- failures --------------------------------------------------------------------------------------------


def evaluations_of(session: Session, project: Project) -> list[Run]:
    """Evaluations with answers whose failures belong to this use case, the newest first: its own, and those
    of no use case on its held-out rows."""
    held_out = held_out_of(session, project)
    theirs = Run.project_id == project.id
    shared = Run.project_id.is_(None) & (Run.held_out_id == (held_out.id if held_out else None))
    answered = select(EvaluationItem.run_id).where(EvaluationItem.run_id == Run.id).exists()
    wanted = select(Run).where(Run.kind == Kind.EVALUATE, or_(theirs, shared), answered)
    return list(session.scalars(wanted.order_by(Run.id.desc())))


def of(
    session: Session,
    run: Run,
    contestant: int,
    *,
    kind: int | str | None = None,
    start: int = 0,
    count: int | None = None,
) -> tuple[list[Failure], int]:
    """A contestant's failures, the lowest scores first, and how many there are; `count` from `start` on.
    `kind` keeps those of one kind, or the UNNAMED."""
    failed = _failed(run, _scored(session, run))
    if not 0 <= contestant < len(failed):
        raise NotFound(f"Evaluation {run.id} has no contestant {contestant}.", field="contestant")
    marks = marks_of(session, run).get(contestant, {})

    def is_wanted(number: int) -> bool:
        named = marks.get(number, set())
        return kind is None or (not named if kind == UNNAMED else kind in named)

    kept = sorted((score, number) for number, score in failed[contestant].items() if is_wanted(number))
    page = kept[start:] if count is None else kept[start : start + count]
    answers = _answers(session, run, contestant, [number for _, number in page])
    found = [
        Failure(number, *_asked(run, number, answers[number]), score, sorted(marks.get(number, ())))
        for score, number in page
    ]
    return found, len(kept)


def counts(session: Session, run: Run, kinds: list[FailureKind]) -> Counts:
    """How often each contestant failed in each way."""
    scored = _scored(session, run)
    failed = _failed(run, scored)
    marks = marks_of(session, run)

    def counted(kind: FailureKind | None) -> Count:
        numbers = [
            sum(_is_of(kind, marks.get(who, {}).get(number, set())) for number in each)
            for who, each in enumerate(failed)
        ]
        shares = [many / len(each) if each else 0.0 for many, each in zip(numbers, failed, strict=True)]
        return Count(kind, numbers, shares)

    named = sorted(map(counted, kinds), key=lambda each: -sum(each.numbers))
    return Counts(
        failed=[len(each) for each in failed],
        asked=[len(each) for each in scored],
        kinds=[*named, counted(None)],
    )


def _is_of(kind: FailureKind | None, named: set[int]) -> bool:
    return kind.id in named if kind else not named


def marks_of(session: Session, run: Run) -> Marks:
    found: dict[int, dict[int, set[int]]] = {}
    for mark in session.scalars(select(FailureMark).where(FailureMark.run_id == run.id)):
        found.setdefault(mark.contestant, {}).setdefault(mark.number, set()).add(mark.kind_id)
    return found


def _scored(session: Session, run: Run) -> list[dict[int, float]]:
    """What each contestant's answers got, by the number of the row."""
    found: list[dict[int, float]] = [{} for _ in evaluations.names(run)]
    name = evaluations.deciding(run)
    wanted = select(EvaluationItem.contestant, EvaluationItem.number, EvaluationItem.scores)
    wanted = wanted.where(EvaluationItem.run_id == run.id, EvaluationItem.take == GREEDY)
    for contestant, number, scores in session.execute(wanted):
        if isinstance(score := scores.get(name), int | float):
            found[contestant][number] = float(score)
    return found


def _failed(run: Run, scored: list[dict[int, float]]) -> list[dict[int, float]]:
    full = graders.get(run.graders[0]["grader"]).high
    if full is None:
        full = max((score for each in scored for score in each.values()), default=0.0)
    return [{number: score for number, score in each.items() if score < full} for each in scored]


def _answers(session: Session, run: Run, contestant: int, numbers: list[int]) -> dict[int, str]:
    wanted = select(EvaluationItem.number, EvaluationItem.answer).where(
        EvaluationItem.run_id == run.id,
        EvaluationItem.contestant == contestant,
        EvaluationItem.take == GREEDY,
    )
    return {number: answer for number, answer in session.execute(wanted) if number in set(numbers)}


def _asked(run: Run, number: int, answer: str) -> tuple[str, str, str]:
    """(question, answer, what was wanted)."""
    rows = library.rows_of(run.held_out, number, 1) if run.held_out else []
    asked, reference = taken_apart(rows[0]) if rows else ([], "")
    question = next((text_of(turn) for turn in reversed(asked) if turn["role"] == "user"), "")
    return question, answer, reference


# ---- kinds -----------------------------------------------------------------------------------------------


def kinds_of(session: Session, project_id: int) -> list[FailureKind]:
    """The kinds of a use case in the order they were named: their keys stay where they are."""
    wanted = select(FailureKind).where(FailureKind.project_id == project_id).order_by(FailureKind.id)
    return list(session.scalars(wanted))


def get_kind(session: Session, kind_id: int) -> FailureKind:
    found = session.get(FailureKind, kind_id)
    if found is None:
        raise NotFound(f"There is no kind of failure {kind_id}.", hint="The Prompt lab lists them.")
    return found


def add_kind(session: Session, project_id: int, name: str, note: str = "", who: str = "") -> FailureKind:
    use_cases.get(session, project_id)
    made = FailureKind(project_id=project_id, name=_free(session, project_id, name), note=note.strip())
    session.add(made)
    session.flush()
    events.record(session, "failure kind added", f"project:{project_id}", who, name=made.name)
    return made


def rename_kind(
    session: Session, kind_id: int, name: str, note: str | None = None, who: str = ""
) -> FailureKind:
    found = get_kind(session, kind_id)
    before = found.name
    found.name = _free(session, found.project_id, name, besides=kind_id)
    found.note = found.note if note is None else note.strip()
    events.record(
        session, "failure kind renamed", f"project:{found.project_id}", who, before=before, name=found.name
    )
    return found


def merge_kinds(session: Session, kind_id: int, into_id: int, who: str = "") -> int:
    """Everything of one kind becomes of another, and the first is gone; how many failures that were."""
    gone, kept = get_kind(session, kind_id), get_kind(session, into_id)
    if gone.id == kept.id or gone.project_id != kept.project_id:
        raise StudioError("Choose another kind of the same use case to merge into.", field="into")
    both = {
        (mark.run_id, mark.contestant, mark.number)
        for mark in session.scalars(select(FailureMark).where(FailureMark.kind_id == kept.id))
    }
    moved = list(session.scalars(select(FailureMark).where(FailureMark.kind_id == gone.id)))
    for mark in moved:
        if (place := (mark.run_id, mark.contestant, mark.number)) not in both:
            session.add(FailureMark(kind_id=kept.id, run_id=place[0], contestant=place[1], number=place[2]))
    _forget(session, gone)
    details = {"name": gone.name, "into": kept.name, "failures": len(moved)}
    events.record(session, "failure kinds merged", f"project:{kept.project_id}", who, **details)
    return len(moved)


def remove_kind(session: Session, kind_id: int, who: str = "") -> None:
    """Forgets a kind, and that failures were of it."""
    gone = get_kind(session, kind_id)
    details = {"name": gone.name, "failures": times_given(session, gone.id)}
    _forget(session, gone)
    events.record(session, "failure kind removed", f"project:{gone.project_id}", who, **details)


def times_given(session: Session, kind_id: int) -> int:
    """How many failures are of this kind, over all evaluations."""
    counted = select(func.count()).select_from(FailureMark).where(FailureMark.kind_id == kind_id)
    return session.scalar(counted) or 0


def mark(session: Session, run: Run, contestant: int, number: int, kind_id: int, on: bool) -> set[int]:
    """Says whether an answer went wrong in this way; all its kinds afterwards."""
    kind = get_kind(session, kind_id)
    if run.project_id not in (None, kind.project_id):
        raise Refused(f"“{kind.name}” belongs to another use case than evaluation {run.id}.", field="kind")
    if session.get(EvaluationItem, (run.id, contestant, number, GREEDY)) is None:
        raise NotFound(f"Evaluation {run.id} has no such answer.", field="number")
    place = (run.id, contestant, number, kind.id)
    known = session.get(FailureMark, place)
    if on and known is None:
        session.add(FailureMark(run_id=run.id, contestant=contestant, number=number, kind_id=kind.id))
    elif known is not None and not on:
        session.delete(known)
    session.flush()
    return marks_of(session, run).get(contestant, {}).get(number, set())


def _free(session: Session, project_id: int, name: str, besides: int | None = None) -> str:
    """The name without spaces around it. Raises StudioError for none, or one that another kind has."""
    name = " ".join(name.split())[:100]
    if not name:
        raise StudioError("Give the kind a name.", hint="Such as “wrong unit”.", field="name")
    others = [each.name.lower() for each in kinds_of(session, project_id) if each.id != besides]
    if name.lower() in others:
        raise StudioError(
            f"There is a kind “{name}” already.", hint="Use that one, or merge the two.", field="name"
        )
    return name


def _forget(session: Session, kind: FailureKind) -> None:
    session.execute(delete(FailureMark).where(FailureMark.kind_id == kind.id))
    session.delete(kind)
    session.flush()


# ---- export ----------------------------------------------------------------------------------------------


def listed(session: Session, run: Run, contestant: int) -> list[dict[str, Any]]:
    """A contestant's failures as rows of a file, the names of their kinds with them."""
    names = {each.id: each.name for each in session.scalars(select(FailureKind))}
    who = evaluations.names(run)
    found, _ = of(session, run, contestant)
    return [
        {
            "evaluation": run.id,
            "contestant": who[contestant],
            "row": each.number + 1,
            "prompt": each.prompt,
            "answer": each.answer,
            "reference": each.reference,
            "metric": evaluations.deciding(run),
            "score": each.score,
            "kinds": [names[kind] for kind in each.kinds],
        }
        for each in found
    ]
