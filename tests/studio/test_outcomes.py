"""What came of advice: better, worse or not shown, by the evaluations of the runs that follow from it."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from studio import db, evaluations, outcomes, recommendations, runs, sample
from studio.evaluations import EvaluationConfig
from studio.models import EvaluationItem, Model, Recommendation, Run, State
from studio.recommendations import Decision
from tests.made_runs import PATHS


@pytest.fixture
def project(database: Path) -> int:
    return sample.load()


def advice(session: Session, project: int, decision: Decision | None = Decision.ACCEPTED) -> Recommendation:
    kept = recommendations.save(session, {"main_gap": "task_accuracy", "n_labelled": 800, "phase_done": 1})
    kept.project_id = project
    if decision:
        recommendations.decide(session, kept.id, decision, chosen="dpo", reason="we have pairs")
    return kept


def trained(session: Session, project: int, of: Recommendation, start: str = sample.STARTER_NAME) -> Model:
    """The model of a run that follows from the advice."""
    config = sample.first_config(session, project).model_copy(
        update={"model": start, "recommendation": of.id}
    )
    run = runs.launch(session, config)
    model = Model(name=f"tuned {run.id}", source=f"runs/{run.id}/model", run_id=run.id, base_id=run.model_id)
    session.add(model)
    session.flush()
    return model


def measured(session: Session, models: Sequence[Model], scores: Sequence[Sequence[float]]) -> Run:
    """An evaluation of these models that is done; `scores` are those of every contestant, the base first."""
    run = evaluations.launch(
        session,
        EvaluationConfig(
            contestants=[{"model": model.id} for model in models],
            dataset="Medication directions: held out",
            graders=["exact_match"],
        ),
    )
    for contestant, given in enumerate(scores):
        for number, score in enumerate(given):
            found = {"exact_match": score}
            session.add(
                EvaluationItem(
                    run_id=run.id,
                    contestant=contestant,
                    number=number,
                    take=0,
                    answer="",
                    scores=found,
                    seconds=0.1,
                    tokens=3,
                )
            )
    for state in PATHS[State.SUCCEEDED]:
        runs.move(session, run, state)
    session.flush()
    return run


BAD, HALF, GOOD = [0.0] * 40, [0.0, 1.0] * 20, [1.0] * 40


@pytest.mark.parametrize(
    ("before", "after", "verdict"), [(BAD, GOOD, "better"), (GOOD, BAD, "worse"), (HALF, HALF, "open")]
)
def test_an_outcome_is_what_the_interval_says(
    project: int, before: list[float], after: list[float], verdict: str
) -> None:
    with db.transaction() as session:
        kept = advice(session, project)
        evaluation = measured(session, [trained(session, project, kept)], [before, after])
        found = outcomes.of(session, kept)
        assert found is not None
        assert (found.verdict, found.asked, found.evaluation.id) == (verdict, 40, evaluation.id)
        assert found.before == sample.STARTER_NAME


def test_without_an_evaluation_there_is_no_outcome(project: int) -> None:
    with db.transaction() as session:
        kept = advice(session, project)
        assert outcomes.of(session, kept) is None
        trained(session, project, kept)
        assert outcomes.of(session, kept) is None
        (listed,) = outcomes.listed(session)
        assert (len(listed.runs), listed.outcome) == (1, None)


def test_a_second_step_is_measured_against_the_first_not_against_the_base(project: int) -> None:
    with db.transaction() as session:
        first, second = advice(session, project), advice(session, project)
        tuned = trained(session, project, first)
        further = trained(session, project, second, start=tuned.name)
        measured(session, [tuned, further], [BAD, GOOD, GOOD])
        found = outcomes.of(session, second)
        assert found is not None
        assert (found.before, found.verdict) == (tuned.name, "open")
        of_first = outcomes.of(session, first)
        assert of_first is not None
        assert of_first.verdict == "better"


def test_the_newest_evaluation_counts(project: int) -> None:
    with db.transaction() as session:
        kept = advice(session, project)
        model = trained(session, project, kept)
        measured(session, [model], [GOOD, BAD])
        measured(session, [model], [BAD, GOOD])
        found = outcomes.of(session, kept)
        assert found is not None
        assert found.verdict == "better"


def test_decisions_are_counted_apart_with_what_came_of_them(project: int) -> None:
    with db.transaction() as session:
        results = [(BAD, GOOD), (BAD, GOOD), (HALF, HALF), (GOOD, BAD)]
        for before, after in results:
            measured(session, [trained(session, project, advice(session, project))], [before, after])
        advice(session, project)
        other = advice(session, project, Decision.CHANGED)
        measured(session, [trained(session, project, other)], [BAD, GOOD])
        advice(session, project, Decision.REJECTED)
        advice(session, project, None)
        every = outcomes.listed(session)
        accepted = outcomes.tally(every, Decision.ACCEPTED)
        assert (accepted.decided, accepted.measured) == (5, 4)
        assert (accepted.better, accepted.open, accepted.worse) == (2, 1, 1)
        right = accepted.right
        assert right is not None
        assert (right.value, round(right.low, 2), round(right.high, 2)) == (0.5, 0.15, 0.85)
        assert outcomes.tally(every, Decision.CHANGED).better == 1
        rejected = outcomes.tally(every, Decision.REJECTED)
        assert (rejected.decided, rejected.right) == (1, None)
