"""Techniques that learn from their own answers show some of these while they train."""

from itertools import pairwise
from pathlib import Path

import pytest

from app.pages import run as page
from studio import db, runs, script, techniques
from studio.graders.choice import GraderChoice
from studio.models import Sample, State
from studio.techniques.base import OVERHEARD
from tests import made_runs
from tests.engine.test_every_technique import MAKE, STEPS, attempt, configure, folder

__all__ = ["folder"]
assert page.PAGE.path == "/run"


def trained(folder: Path, technique: str, **settings: object) -> int:
    config = configure(folder, techniques.get(technique), "full")
    known = techniques.get(technique).parameters.model_fields
    config.parameters |= {name: value for name, value in settings.items() if name in known}
    with db.transaction() as session:
        run_id = runs.launch(session, config).id
    assert attempt(run_id) == State.SUCCEEDED
    return run_id


def overheard(run_id: int) -> list[Sample]:
    with db.reading() as session:
        found = session.query(Sample).where(Sample.run_id == run_id, Sample.number >= OVERHEARD)
        return found.order_by(Sample.step, Sample.number).all()


@pytest.mark.parametrize("technique", ["grpo", "dapo", "rloo", "ppo"])
def test_the_best_and_the_worst_answers_of_a_training_are_shown_with_every_score(
    folder: Path, technique: str
) -> None:
    """Held-out answers are measured in between, and are none of them."""
    run_id = trained(folder, technique, eval_steps=1, updates_per_generation=1, num_ppo_epochs=1)
    found = overheard(run_id)
    assert {sample.step for sample in found} == set(range(1, STEPS + 1))
    for step in range(1, STEPS + 1):
        rewards = [sample.scores["reward"] for sample in found if sample.step == step]
        assert 1 <= len(rewards) <= 4
        assert all(one >= other for one, other in pairwise(rewards))
    for sample in found:
        assert set(sample.scores) == {"exact_match", "length", "reward"}
        parts = sample.scores["exact_match"] + 0.1 * sample.scores["length"]
        assert sample.scores["reward"] == pytest.approx(parts)
        assert sample.prompt
        assert sample.reference
    text = made_runs.fragments().get(f"/parts/run-view?id={run_id}&tab=samples").text
    assert "Answered while training" in text
    assert text.count('<small class="hint">length ') == len(found)
    rows = MAKE["prompt"]()
    held_out = {row["messages"][-1]["content"] for row in rows[len(rows) // 2 :]}
    assert not held_out & {sample.prompt for sample in found}


def test_a_teachers_answers_are_not_those_of_the_training(folder: Path) -> None:
    assert not overheard(trained(folder, "distillation"))


def test_graders_of_a_technique_that_learns_from_no_reward_score_its_samples(folder: Path) -> None:
    config = configure(folder, techniques.get("sft"), "full")
    config.graders = [GraderChoice(grader="length")]
    with db.transaction() as session:
        run_id = runs.launch(session, config).id
    assert attempt(run_id) == State.SUCCEEDED
    with db.reading() as session:
        samples = session.query(Sample).filter_by(run_id=run_id)
        assert {tuple(sample.scores) for sample in samples} == {("length",)}
        assert "reward" not in script.bundle(session, runs.get(session, run_id))["train.py"]


def test_answers_are_given_again_while_it_trains(folder: Path) -> None:
    def answered(**settings: int) -> set[int]:
        run_id = trained(folder, "sft", max_steps=10, **settings)
        with db.reading() as session:
            return {sample.step for sample in session.query(Sample).filter_by(run_id=run_id)}

    assert answered() == {0, 2, 4, 6, 8, 10}
    assert answered(sample_steps=4) == {0, 4, 8, 10}
    assert answered(sample_steps=0) == {0, 10}


def test_who_wants_no_samples_gets_none(folder: Path) -> None:
    run_id = trained(folder, "grpo", sample_prompts=0)
    with db.reading() as session:
        assert not session.query(Sample).where(Sample.run_id == run_id).count()
