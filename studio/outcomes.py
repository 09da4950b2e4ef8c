"""What came of the guide's advice.

Of a training: whether the models of the runs that follow from it were better than what those runs began with,
by the newest evaluation in which such a model answered. Of prompt engineering: whether a prompt version was
better than the same model asked as it is, by the newest evaluation since. Both by the first metric. Of
collecting: how much of what was needed is there now, which says nothing of the advice being right.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from studio import evaluations, plans, prompts
from studio.evaluations import intervals, results
from studio.evaluations.intervals import Interval
from studio.guide import plans as written
from studio.guide import rules
from studio.models import Kind, Model, Project, Recommendation, Run, State
from studio.prompts import measuring
from studio.recommendations import Decision

PROMPTING = "prompt_engineering"
BETTER, WORSE, OPEN = "better", "worse", "open"


@dataclass(frozen=True)
class Outcome:
    """A model that a run made beside what the run began with, where that answered too, else the first
    contestant; or a model asked in a prompt version beside the same asked as it is. `verdict`: better, worse
    or open (not shown)."""

    evaluation: Run
    metric: str
    before: str
    after: str
    change: Interval
    asked: int
    verdict: str


@dataclass(frozen=True)
class Collected:
    """What was to be collected: how much there was at the time, how much there is now."""

    noun: str
    then: int | float
    have: int | float
    need: int | float

    @property
    def is_reached(self) -> bool:
        return self.have >= self.need


@dataclass(frozen=True)
class Followed:
    """A recommendation, the runs that name it, and what came of them; None while nothing was measured.
    `collected` is None where nothing was to be collected."""

    recommendation: Recommendation
    project: Project | None
    runs: Sequence[Run]
    outcome: Outcome | None
    collected: Collected | None


@dataclass(frozen=True)
class Tally:
    """How many decisions of one kind, and what came of those that were measured."""

    decided: int
    better: int
    worse: int
    open: int

    @property
    def measured(self) -> int:
        return self.better + self.worse + self.open

    @property
    def right(self) -> Interval | None:
        """The share that was better, of those measured."""
        scores = [1.0] * self.better + [0.0] * (self.measured - self.better)
        return intervals.mean(scores) if scores else None


def listed(session: Session) -> list[Followed]:
    """Every recommendation, the newest first."""
    every = list(session.scalars(select(Recommendation).order_by(Recommendation.id.desc())))
    runs: dict[int | None, list[Run]] = defaultdict(list)
    wanted = select(Run).where(Run.kind == Kind.TRAIN, Run.recommendation_id.is_not(None))
    for run in session.scalars(wanted.order_by(Run.id.desc())):
        runs[run.recommendation_id].append(run)
    measured = _measured(session) if runs else {}
    counts: dict[int | None, Counts] = {}
    return [
        Followed(
            recommendation=each,
            project=session.get(Project, each.project_id) if each.project_id else None,
            runs=runs[each.id],
            outcome=_outcome(session, runs[each.id], measured) or _of_prompting(session, each),
            collected=_collected(session, each, counts),
        )
        for each in every
    ]


def of(session: Session, recommendation: Recommendation) -> Outcome | None:
    wanted = select(Run).where(Run.kind == Kind.TRAIN, Run.recommendation_id == recommendation.id)
    runs = list(session.scalars(wanted.order_by(Run.id.desc())))
    trained = _outcome(session, runs, _measured(session)) if runs else None
    return trained or _of_prompting(session, recommendation)


def tally(followed: Sequence[Followed], decision: Decision) -> Tally:
    of_kind = [each for each in followed if each.recommendation.decision == decision]
    verdicts = [each.outcome.verdict for each in of_kind if each.outcome]
    return Tally(len(of_kind), *(verdicts.count(each) for each in (BETTER, WORSE, OPEN)))


# ---- what was measured --------------------------------------------------------------------------------


def _measured(session: Session) -> dict[int, Run]:
    """Of each model the newest evaluation in which it answered."""
    done = select(Run).where(Run.kind == Kind.EVALUATE, Run.state == State.SUCCEEDED)
    found: dict[int, Run] = {}
    for run in session.scalars(done.order_by(Run.id)):
        for reference in run.inputs.values():
            if str(reference).isdigit():
                found[int(reference)] = run
    return found


def _outcome(session: Session, runs: Sequence[Run], measured: Mapping[int, Run]) -> Outcome | None:
    """That of the newest run whose model was measured."""
    for run in runs:
        made = session.scalars(select(Model.id).where(Model.run_id == run.id).order_by(Model.id.desc()))
        for model_id in made:
            if model_id in measured and (found := _compared(session, run, model_id, measured[model_id])):
                return found
    return None


def _compared(session: Session, run: Run, model_id: int, evaluation: Run) -> Outcome | None:
    places = {
        place: int(evaluation.inputs[str(place)]) for place in range(len(evaluations.names(evaluation)))
    }
    after = next(place for place, each in places.items() if each == model_id)
    before = next((place for place, each in places.items() if each == run.model_id), 0)
    return _beside(session, evaluation, before, after) if before != after else None


def _of_prompting(session: Session, advice: Recommendation) -> Outcome | None:
    """That of a prompt version, measured after the advice: the one in use, else the newest."""
    if _taken(advice) != PROMPTING or advice.project_id is None or advice.decision == Decision.REJECTED:
        return None
    project = session.get_one(Project, advice.project_id)
    for run in prompts.evaluations_of(session, project.id):
        if run.state != State.SUCCEEDED or run.created < advice.created:
            continue
        asked = [(version, place) for place, version in enumerate(prompts.asked_with(run)) if version]
        asked.sort(key=lambda each: (each[0] != project.prompt_id, -each[0], each[1]))
        for _, place in asked:
            plain = measuring.plain_of(run, place)
            if plain is not None and (found := _beside(session, run, plain, place)):
                return found
    return None


def _beside(session: Session, evaluation: Run, before: int, after: int) -> Outcome | None:
    """One contestant against another by the first metric; None where they answered nothing in common."""
    metric = evaluations.deciding(evaluation)
    told = results.one(session, evaluation, after, before)
    if told is None or metric not in told.differences:
        return None
    found, names = told.differences[metric], evaluations.names(evaluation)
    return Outcome(
        evaluation=evaluation,
        metric=metric,
        before=names[before],
        after=names[after],
        change=found.change,
        asked=found.asked,
        verdict=found.verdict,
    )


# ---- what was collected -------------------------------------------------------------------------------

Counts = Mapping[str, int | float]


def _taken(advice: Recommendation) -> str:
    """The technique that was advised, or that was taken instead."""
    return advice.chosen or str(advice.result["technique"])


def _collected(
    session: Session, advice: Recommendation, counts: dict[int | None, Counts]
) -> Collected | None:
    """Of what was nearest to being enough when the advice was given. `counts` keeps those of use cases."""
    name = written.name_for(_taken(advice))
    if name is None or not written.get(name).collects:
        return None
    if advice.project_id not in counts:
        project = session.get(Project, advice.project_id) if advice.project_id else None
        counts[advice.project_id] = plans.counted(session, project)
    told = rules.Recommendation.model_validate(advice.result)
    goals = [
        (goal, sum(told.answers[field] for field in goal.fields))
        for goal in written.goals(name, told, counts[advice.project_id])
    ]
    if not goals:
        return None
    goal, then = min(goals, key=lambda each: each[0].need - each[1])
    return Collected(goal.noun, then, goal.have, goal.need)
