"""What the answers of a reward lab say, from samples whose rewards are known."""

from pathlib import Path
from typing import Any

import pytest

from studio import db, lab, runs, sample, weights
from studio.errors import StudioError
from studio.graders.choice import GraderChoice
from studio.lab import LabConfig
from studio.models import Kind, Model, Run, Sample, State

EXACT = [GraderChoice(grader="exact_match")]
PROMPTS = "Medication directions: prompts"
K = 4


def config(**given: Any) -> LabConfig:
    usual = {"model": sample.STARTER_NAME, "dataset": PROMPTS, "graders": EXACT, "prompts": 10, "samples": K}
    return LabConfig(**(usual | given))


def launched(**given: Any) -> int:
    with db.transaction() as session:
        return lab.launch(session, config(**given)).id


@pytest.fixture
def loaded(database: Path) -> None:
    sample.load()


@pytest.fixture
def run_id(loaded: None) -> int:
    return launched()


def answer(run_id: int, groups: list[list[float]]) -> lab.Findings:
    with db.transaction() as session:
        for place, group in enumerate(groups):
            for at, reward in enumerate(group):
                session.add(
                    Sample(
                        run_id=run_id,
                        step=0,
                        number=place * len(group) + at,
                        prompt=f"question {place}",
                        answer=f"answer {at}",
                        scores={"exact_match": reward, "reward": reward},
                    )
                )
    with db.reading() as session:
        found = lab.findings(session, runs.get(session, run_id))
        assert found is not None
        return found


def test_pass_at_k_is_the_unbiased_estimate() -> None:
    assert lab.pass_at(1, 8, 2) == pytest.approx(0.25)
    assert lab.pass_at(2, 4, 1) == pytest.approx(0.5)
    assert lab.pass_at(8, 8, 1) == 1.0
    assert lab.pass_at(3, 8, 0) == 0.0


@pytest.mark.parametrize(("samples", "k"), [(4, 4), (8, 8), (16, 8)])
def test_pass_at_8_is_told_wherever_as_many_answers_were_drawn(loaded: None, samples: int, k: int) -> None:
    found = answer(launched(samples=samples), [[1.0, *[0.0] * (samples - 1)]] * 10)
    assert found.k == k
    assert found.pass_1 == pytest.approx(1 / samples)
    assert found.pass_k == pytest.approx(k / samples)  # the one right answer is among k of all


def test_answers_that_differ_are_a_signal(run_id: int) -> None:
    found = answer(run_id, [[1, 0, 0, 0]] * 5 + [[0, 0, 0, 0]] * 3 + [[1, 1, 1, 1]] * 2)
    assert found.has_signal
    assert "has a signal" in found.verdict
    assert found.without_spread == pytest.approx(0.5)
    assert found.all_best == pytest.approx(0.2)
    assert found.pass_1 == pytest.approx((5 * 0.25 + 2) / 10)
    assert found.pass_k == pytest.approx(0.7)
    assert sum(count for _, _, count in found.histogram) == 40
    with db.reading() as session:
        best, worst = lab.extremes(session, runs.get(session, run_id))
        assert best[0].scores["reward"] == 1
        assert worst[0].scores["reward"] == 0


def test_failing_alike_is_no_signal_and_asks_for_teaching_first(run_id: int) -> None:
    found = answer(run_id, [[0, 0, 0, 0]] * 10)
    assert not found.has_signal
    assert "no signal" in found.verdict
    assert "supervised" in found.advice


def test_solving_everything_leaves_nothing_to_learn(run_id: int) -> None:
    assert "nothing left to learn" in answer(run_id, [[1, 1, 1, 1]] * 10).verdict


def test_a_lab_is_no_training_and_refuses_what_asks_nothing(run_id: int) -> None:
    with db.transaction() as session:
        assert not runs.listed(session)
        assert [run.kind for run in session.query(Run)] == [Kind.LAB]
        assert lab.findings(session, runs.get(session, run_id)) is None
        with pytest.raises(StudioError, match="asks nothing"):
            lab.launch(
                session,
                LabConfig(model=sample.STARTER_NAME, dataset="Medication directions: thumbs", graders=EXACT),
            )


def test_the_result_of_a_run_can_be_tried_once_it_is_there(loaded: None) -> None:
    with db.transaction() as session:
        base = weights.find(session, sample.STARTER_NAME)
        run = Run(name="teaches", technique="sft", adapter="full", model=base)
        session.add(run)
        session.flush()
        made = f"run:{run.id}"
        with pytest.raises(StudioError, match="has made no model yet") as refusal:
            lab.launch(session, config(model=made))
        assert refusal.value.field == "model"
        run.state = State.SUCCEEDED
        session.add(result := Model(name="taught", source="runs/1/model", run_id=run.id))
        session.flush()
        assert lab.launch(session, config(model=made)).model_id == result.id
        with pytest.raises(StudioError, match="no run 99"):
            lab.launch(session, config(model="run:99"))


def test_tools_are_checked_and_kept_as_a_run_has_them(loaded: None) -> None:
    acting = {"environment": "lookup", "environment_settings": {"lines": 2}, "max_tool_calling_iterations": 3}
    with db.reading() as session:
        kept = runs.get(session, launched(**acting)).parameters
    assert kept["environment"] == "lookup"
    assert kept["environment_settings"] == '{"lines": 2}'
    assert kept["max_tool_calling_iterations"] == 3
    for wrong in ({"environment": "casino"}, {"environment": "lookup", "environment_settings": {"depth": 1}}):
        with pytest.raises(StudioError):
            config(**wrong)


def test_a_lab_is_found_again_by_what_it_tried(run_id: int) -> None:
    with db.reading() as session:
        run = runs.get(session, run_id)
        choices = [GraderChoice.model_validate(each) for each in run.graders]
        assert run.model_id is not None
        assert run.dataset_version_id is not None
        where = (session, run.model_id, run.dataset_version_id)
        assert lab.tried(*where, choices, "") is run
        assert lab.tried(*where, choices, "calculator") is None
        assert lab.tried(*where, [choices[0].model_copy(update={"weight": 2.0})], "") is None
        assert lab.tried(session, run.model_id + 1, run.dataset_version_id, choices, "") is None
