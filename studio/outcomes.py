"""What came of the guide's advice: whether the models of the runs that follow from it were measured, and were
better than what those runs began with.

The outcome is that of the first metric of the newest evaluation in which such a model answered.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from studio import evaluations
from studio.evaluations import intervals
from studio.evaluations.intervals import Interval
from studio.evaluations.results import GREEDY
from studio.models import EvaluationItem, Kind, Model, Project, Recommendation, Run, State
from studio.recommendations import Decision

BETTER, WORSE, OPEN = "better", "worse", "open"


@dataclass(frozen=True)
class Outcome:
    """A model that a run made, beside what it was compared with: what the run began with where that answered
    too, else the first contestant. `verdict`: better, worse or open (not shown)."""

    run: Run
    evaluation: Run
    metric: str
    before: str
    after: str
    change: Interval
    asked: int
    verdict: str


@dataclass(frozen=True)
class Followed:
    """A recommendation, the runs that name it, and what came of them; None while nothing was measured."""

    recommendation: Recommendation
    project: Project | None
    runs: Sequence[Run]
    outcome: Outcome | None


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
    return [
        Followed(
            recommendation=each,
            project=session.get(Project, each.project_id) if each.project_id else None,
            runs=runs[each.id],
            outcome=_outcome(session, runs[each.id], measured),
        )
        for each in every
    ]


def of(session: Session, recommendation: Recommendation) -> Outcome | None:
    wanted = select(Run).where(Run.kind == Kind.TRAIN, Run.recommendation_id == recommendation.id)
    runs = list(session.scalars(wanted.order_by(Run.id.desc())))
    return _outcome(session, runs, _measured(session)) if runs else None


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
    if before == after or not evaluation.graders:
        return None
    metric = evaluation.graders[0]["name"]
    scores = _scores(session, evaluation, metric)
    both = sorted(scores[before].keys() & scores[after].keys())
    if not both:
        return None
    change = intervals.difference(*([scores[place][each] for each in both] for place in (before, after)))
    names = evaluations.names(evaluation)
    return Outcome(
        run=run,
        evaluation=evaluation,
        metric=metric,
        before=names[before],
        after=names[after],
        change=change,
        asked=len(both),
        verdict=(BETTER if change.low > 0 else WORSE) if change.excludes_zero else OPEN,
    )


def _scores(session: Session, evaluation: Run, metric: str) -> dict[int, dict[int, float]]:
    """{contestant: {question: score}} of the greedy answers."""
    found: dict[int, dict[int, float]] = defaultdict(dict)
    items = select(EvaluationItem.contestant, EvaluationItem.number, EvaluationItem.scores)
    for contestant, number, given in session.execute(
        items.where(EvaluationItem.run_id == evaluation.id, EvaluationItem.take == GREEDY)
    ):
        if isinstance(given.get(metric), int | float):
            found[contestant][number] = float(given[metric])
    return found
