"""Sweeps expand to the right runs; chains of runs wait for one another and know who comes of whom."""

from pathlib import Path
from typing import Any

import pytest

from studio import attempts, chains, db, lineage, runs, sample, sweeps, techniques, weights
from studio.errors import NotFound, Refused, StudioError
from studio.exits import Exit
from studio.models import State
from studio.runs import RunConfig

CPU = [{"name": "cpu:0", "kinds": ["train"]}]


@pytest.fixture
def config(database: Path) -> RunConfig:
    project = sample.load()
    with db.reading() as session:
        return sample.first_config(session, project)


def test_a_grid_is_every_combination() -> None:
    made = sweeps.expand({"learning_rate": [1e-3, 2e-3], "seed": [1, 2, 3]})
    assert len(made) == 6
    assert {tuple(each.values()) for each in made} == {(r, s) for r in (1e-3, 2e-3) for s in (1, 2, 3)}


def test_a_random_sweep_is_drawn_once_and_for_all_by_its_seed() -> None:
    fields: dict[str, Any] = {
        "learning_rate": {"low": 1e-5, "high": 1e-2, "log": True},
        "lora.r": {"low": 4, "high": 64, "whole": True},
    }
    made = sweeps.expand(fields, "random", 40, seed=3)
    assert made == sweeps.expand(fields, "random", 40, seed=3) != sweeps.expand(fields, "random", 40, seed=4)
    assert all(1e-5 <= each["learning_rate"] <= 1e-2 and isinstance(each["lora.r"], int) for each in made)
    below = sum(each["learning_rate"] < 3.2e-4 for each in made)  # the geometric middle
    assert 10 <= below <= 30


@pytest.mark.parametrize(
    ("fields", "method", "count", "says"),
    [
        ({}, "grid", 0, "needs a setting"),
        ({"seed": []}, "grid", 0, "no values"),
        ({"learning_rate": {"low": 1, "high": 2}}, "grid", 0, "grid needs values"),
        ({"learning_rate": {"low": 2, "high": 1}}, "random", 3, "low end"),
        ({"learning_rate": {"low": 0, "high": 1, "log": True}}, "random", 3, "above zero"),
        ({"seed": list(range(300))}, "grid", 0, "300 runs"),
        ({"seed": [1]}, "random", 0, "0 runs"),
    ],
)
def test_a_sweep_that_makes_no_sense_is_refused_in_words(
    fields: Any, method: Any, count: int, says: str
) -> None:
    with pytest.raises(StudioError, match=says):
        sweeps.expand(fields, method, count)


def test_a_sweep_launches_its_runs_or_none(config: RunConfig) -> None:
    lora = config.model_copy(update={"adapter": "lora"})
    with db.transaction() as session:
        sweep = sweeps.launch(
            session, lora, name="rates", fields={"learning_rate": [1e-3, 5e-3], "lora.r": [4, 8]}
        )
        sweep_id = sweep.id
    with db.reading() as session:
        made = sweeps.runs_of(session, sweep_id)
        assert [(run.parameters["learning_rate"], run.adapter_parameters["r"]) for run in made] == [
            (1e-3, 4),
            (1e-3, 8),
            (5e-3, 4),
            (5e-3, 8),
        ]
    with pytest.raises(StudioError), db.transaction() as session:
        sweeps.launch(session, lora, fields={"learning_rate": [1e-3, -1]})
    with db.transaction() as session:
        assert len(runs.listed(session)) == 4
        assert sweeps.stop(session, sweep_id) == 4
        assert all(run.state == State.CANCELLED for run in sweeps.runs_of(session, sweep_id))
    with db.reading() as session, pytest.raises(NotFound):
        sweeps.get(session, 99)


def launch(config: RunConfig, **changes: object) -> int:
    with db.transaction() as session:
        return runs.launch(session, config.model_copy(update=changes)).id


def finish(run_id: int, code: int) -> None:
    with db.transaction() as session:
        given = attempts.claim(session, "here", CPU)
        assert given is not None
        assert given.run_id == run_id
        run = attempts.begin(session, run_id, given.attempt, 1, 0.0)
        assert run is not None
        if code == Exit.DONE:
            model = weights.find(session, sample.STARTER_NAME)
            made = weights.Model(
                name=f"made {run_id}", source="runs/1/model", run_id=run_id, parameters=model.parameters
            )
            session.add(made)
        attempts.end(session, run_id, given.attempt, code)


def test_a_run_waits_for_the_one_whose_result_it_reads_and_then_starts_from_it(config: RunConfig) -> None:
    first = launch(config)
    second = launch(config, model=f"run:{first}", priority=90)
    finish(first, Exit.DONE)
    with db.transaction() as session:
        given = attempts.claim(session, "here", CPU)
        assert given is not None
        assert given.run_id == second
        run = runs.get(session, second)
        assert run.model is not None
        assert run.model.run_id == first
        assert [each.id for each in lineage.ancestors(session, run)] == [first]


def test_a_run_whose_forerunner_failed_never_begins_and_says_so(config: RunConfig) -> None:
    first = launch(config)
    second = launch(config, model=f"run:{first}")
    finish(first, Exit.FAILED)
    with db.transaction() as session:
        assert attempts.claim(session, "here", CPU) is None
        assert runs.get(session, second).state == State.QUEUED
    with pytest.raises(Refused, match="will make no model"):
        launch(config, model=f"run:{first}")
    with pytest.raises(NotFound, match="no run 99"):
        launch(config, model="run:99")


PROMPTS, PAIRS = "Medication directions: prompts", "Medication directions: preference pairs"


def rlhf(config: RunConfig) -> list[int]:
    """SFT, a reward model and PPO, each of which starts from what the one before makes."""
    ppo = RunConfig(name="tuned", technique="ppo", adapter="lora", model=config.model, dataset=PROMPTS)
    asked = chains.Rlhf(ppo=ppo, pairs=PAIRS, examples=config.dataset)
    with db.transaction() as session:
        return [run.id for run in chains.launch(session, chains.rm_ppo(asked))]


def line(session: Any, run_id: int) -> tuple[list[int], list[int]]:
    """(the runs it goes on from, the runs that go on from it)"""
    run = runs.get(session, run_id)
    before, after = lineage.ancestors(session, run), lineage.followers(session, run)
    return [each.id for each in before], [each.id for each in after]


def test_who_comes_of_whom_is_known_before_and_after_it_is_made(config: RunConfig) -> None:
    first, second, third = rlhf(config)
    expected = {first: ([], [second, third]), second: ([first], [third]), third: ([second, first], [])}
    with db.reading() as session:
        assert {each: line(session, each) for each in expected} == expected
    finish(first, Exit.DONE)
    finish(second, Exit.DONE)
    with db.transaction() as session:
        assert attempts.claim(session, "here", CPU) is not None
        assert runs.get(session, third).graders[0]["parameters"]["model"].isdigit()
        assert {each: line(session, each) for each in expected} == expected


def test_a_run_that_waits_for_its_reward_alone_can_be_waited_for_together_with_it(config: RunConfig) -> None:
    first, reward, ppo = rlhf(config)
    finish(first, Exit.DONE)
    scored = [{"grader": "reward_model", "parameters": {"model": f"run:{reward}"}}]
    prompts = {"technique": "ppo", "dataset": PROMPTS, "graders": scored}
    with db.transaction() as session:
        made = weights.find(session, f"made {first}").id
        waits = runs.launch(session, RunConfig.model_validate({"model": made, **prompts}))
        last = runs.launch(session, RunConfig.model_validate({"model": f"run:{waits.id}", **prompts}))
        assert (waits.after_id, last.after_id) == (reward, waits.id)
        assert line(session, reward) == ([first], [ppo, waits.id, last.id])


def test_what_suits_the_models_size_is_known_before_the_model_is_made(config: RunConfig) -> None:
    first, _, third = rlhf(config)
    with db.reading() as session:
        start, ppo = runs.get(session, first).model, runs.get(session, third)
        suited = techniques.get("ppo").suggest("lora", start.parameters if start else None)
        assert suited["max_steps"] == 80  # what a model of a million parameters needs
        assert {name: ppo.parameters[name] for name in suited} == suited
