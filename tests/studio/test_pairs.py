"""Preference pairs out of a reward lab: the best answer to each prompt against its worst, if they differ."""

from pathlib import Path
from typing import Any

import pytest

from studio import db, lab, pairs, runs, sample
from studio.datasets import library
from studio.errors import StudioError
from studio.graders.choice import GraderChoice
from studio.lab import LabConfig
from studio.models import DatasetVersion, Sample, State

Rewards = list[list[float | None]]
REWARDS: Rewards = [[0.0, 1.0, 0.5], [1.0, 1.0, 1.0], [None, 0.25, 0.75], [None, None, None]]


def answered(rewards: Rewards, state: State = State.SUCCEEDED, **given: Any) -> int:
    """A lab with these rewards; the second answer to the third prompt is “answer 2.1”."""
    with db.transaction() as session:
        config = LabConfig(
            model=sample.STARTER_NAME,
            dataset="Medication directions: prompts",
            graders=[GraderChoice(grader="exact_match", name="right", weight=2.0)],
            prompts=len(rewards),
            samples=3,
            **given,
        )
        run = lab.launch(session, config)
        for place, group in enumerate(rewards):
            for at, reward in enumerate(group):
                session.add(
                    Sample(
                        run_id=run.id,
                        step=0,
                        number=3 * place + at,
                        prompt="last words",
                        answer=f"answer {place}.{at}",
                        scores={"reward": reward},
                    )
                )
        run.state = state
        return run.id


def kept(run_id: int) -> tuple[DatasetVersion, list[dict[str, Any]]]:
    with db.reading() as session:
        found = pairs.of(session, runs.get(session, run_id))
    prepared = pairs.prepare(found)
    with db.transaction() as session:
        version = pairs.keep(session, run_id, *prepared, who="ada")
        return version, library.rows_of(version, 0, 10)


@pytest.fixture(autouse=True)
def loaded(database: Path) -> None:
    sample.load()


def test_each_prompt_gives_its_best_answer_against_its_worst() -> None:
    run_id = answered(REWARDS)
    version, rows = kept(run_id)
    assert (version.shape, version.rows) == ("preference", 2)
    assert [row["chosen"][0]["content"] for row in rows] == ["answer 0.1", "answer 2.2"]
    assert [row["rejected"][0]["content"] for row in rows] == ["answer 0.0", "answer 2.1"]
    with db.reading() as session:
        asked = library.rows_of(library.find_version(session, "Medication directions: prompts"), 0, 10**6)
        assert [row["prompt"] for row in rows] == [asked[0]["prompt"], asked[len(asked) // 2]["prompt"]]
    assert rows[1]["meta"] == {
        "lab": run_id,
        "model": sample.STARTER_NAME,
        "graders": "right × 2",
        "rewards": [0.75, 0.25],
    }


def test_a_further_round_is_a_further_version_of_the_same_dataset() -> None:
    first, _ = kept(answered(REWARDS))
    second, _ = kept(answered(REWARDS[:1]))
    assert (second.dataset_id, second.number) == (first.dataset_id, 2)
    assert second.parent_id == first.parent_id is not None
    with db.reading() as session:
        dataset = library.get(session, second.dataset_id)
        assert dataset.name == "Medication directions: prompts: own pairs"
        assert sample.STARTER_NAME in dataset.note


@pytest.mark.parametrize(
    ("rewards", "given", "said"),
    [
        ([[1.0, 1.0, 1.0]], {}, "nothing to prefer"),
        (REWARDS, {"state": State.RUNNING}, "a reward lab that is done"),
        (REWARDS, {"environment": "calculator"}, "conversations with tools"),
    ],
)
def test_answers_that_make_no_pairs_are_refused_in_words(
    rewards: Rewards, given: dict[str, Any], said: str
) -> None:
    run_id = answered(rewards, **given)
    with db.reading() as session, pytest.raises(StudioError, match=said):
        pairs.of(session, runs.get(session, run_id))
