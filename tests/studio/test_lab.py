"""What the answers of a reward lab say, from samples whose rewards are known."""

from pathlib import Path

import pytest

from studio import db, lab, runs, sample
from studio.errors import StudioError
from studio.graders.choice import GraderChoice
from studio.lab import LabConfig
from studio.models import Kind, Run, Sample

EXACT = [GraderChoice(grader="exact_match")]
K = 4


@pytest.fixture
def run_id(database: Path) -> int:
    sample.load()
    with db.transaction() as session:
        config = LabConfig(
            model=sample.STARTER_NAME,
            dataset="Medication directions: prompts",
            graders=EXACT,
            prompts=10,
            samples=K,
        )
        return lab.launch(session, config).id


def answer(run_id: int, groups: list[list[float]]) -> lab.Findings:
    with db.transaction() as session:
        for place, group in enumerate(groups):
            for at, reward in enumerate(group):
                session.add(
                    Sample(
                        run_id=run_id,
                        step=0,
                        number=place * K + at,
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
