"""What came of advice: better, worse or not shown, by the evaluations of the runs that follow from it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from studio import db, evaluations, outcomes, prompts, recommendations, runs, sample
from studio.evaluations import EvaluationConfig
from studio.models import EvaluationItem, Model, Project, Prompt, Recommendation, Run, State
from studio.prompting import Prompting
from studio.recommendations import Decision
from tests import made_runs
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


def measured(
    session: Session,
    models: Sequence[Model | dict[str, Any]],
    scores: Sequence[Sequence[float]],
    project: int | None = None,
) -> Run:
    """An evaluation of these models that is done; `scores` are those of every contestant, the base first."""
    run = evaluations.launch(
        session,
        EvaluationConfig(
            contestants=[{"model": each.id} if isinstance(each, Model) else each for each in models],
            dataset="Medication directions: held out",
            graders=["exact_match"],
            project=project,
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


# ---- advice that is no training -----------------------------------------------------------------------


def to_prompt(session: Session, project: int) -> Recommendation:
    kept = recommendations.save(session, {"main_gap": "not_tested"}, project_id=project)
    assert kept.result["technique"] == "prompt_engineering"
    recommendations.decide(session, kept.id, Decision.ACCEPTED)
    return kept


def asked_in(session: Session, project: int, versions: Sequence[Prompt], *scores: Sequence[float]) -> Run:
    """An evaluation of the starter model as it is, and in these versions."""
    return measured(session, [{"model": 1, "prompt": each.id} for each in versions], scores, project=project)


def version(session: Session, project: int, system: str) -> Prompt:
    return prompts.create(session, project, Prompting(system=system))


def test_prompt_engineering_is_right_where_a_version_beats_the_model_asked_as_it_is(
    project: int,
) -> None:
    with db.transaction() as session:
        first = version(session, project, "Answer in JSON.")
        asked_in(session, project, [first], BAD, GOOD)
        kept = to_prompt(session, project)
        assert outcomes.of(session, kept) is None  # that evaluation came before it
        newest = asked_in(session, project, [first], HALF, BAD)
        found = outcomes.of(session, kept)
        assert found is not None
        assert (found.verdict, found.before, found.evaluation.id) == ("worse", sample.STARTER_NAME, newest.id)
        assert outcomes.tally(outcomes.listed(session), Decision.ACCEPTED).worse == 1


def test_of_several_versions_the_one_in_use_counts_else_the_newest(project: int) -> None:
    with db.transaction() as session:
        kept = to_prompt(session, project)
        first, second = version(session, project, "In JSON."), version(session, project, "Only JSON.")
        asked_in(session, project, [first, second], BAD, BAD, GOOD)
        found = outcomes.of(session, kept)
        assert found is not None
        assert (found.after, found.verdict) == (f"{sample.STARTER_NAME}, v{second.number}", "better")
        prompts.choose(session, session.get_one(Project, project), first.id)
        found = outcomes.of(session, kept)
        assert found is not None
        assert (found.after, found.verdict) == (f"{sample.STARTER_NAME}, v{first.number}", "open")


def test_rejected_prompt_engineering_and_other_use_cases_have_no_outcome(project: int) -> None:
    with db.transaction() as session:
        kept, other = to_prompt(session, project), to_prompt(session, project)
        recommendations.decide(session, kept.id, Decision.REJECTED)
        other.project_id = None
        asked_in(session, project, [version(session, project, "Answer in JSON.")], BAD, GOOD)
        assert [outcomes.of(session, each) for each in (kept, other)] == [None, None]


def test_collecting_has_no_verdict_but_says_how_far_it_is(project: int) -> None:
    with db.transaction() as session:
        mine = Project(name="Notes")
        session.add(mine)
        session.flush()
        collected = made_runs.version(session, "notes")
        collected.dataset.project_id, collected.rows = mine.id, 10
        answers = {"main_gap": "task_accuracy", "phase_done": 1, "n_labelled": 20}
        kept = recommendations.save(session, answers, project_id=mine.id)
        assert kept.result["technique"] == "collect_labels"
        recommendations.decide(session, kept.id, Decision.ACCEPTED)
        found = next(each for each in outcomes.listed(session) if each.recommendation is kept)
        assert found.collected is not None
        need = found.collected.need
        assert (found.collected.then, found.collected.have, found.outcome) == (20, 20, None)
        collected.rows = int(need)
        session.flush()
        (found,) = (each for each in outcomes.listed(session) if each.recommendation is kept)
        assert found.collected == outcomes.Collected("labelled examples", 20, need, need)
        assert found.collected.is_reached
        tally = outcomes.tally([found], Decision.ACCEPTED)
        assert (tally.decided, tally.measured, tally.right) == (1, 0, None)


def test_advice_to_train_collects_nothing(project: int) -> None:
    with db.transaction() as session:
        advice(session, project)
        assert [each.collected for each in outcomes.listed(session)] == [None]
