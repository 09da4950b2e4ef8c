"""The ladder: what each phase reached, gained and took, and what the next one lacks."""

from datetime import timedelta
from pathlib import Path

import pytest

from studio import db, ladder, loop, material, preferences, prices, sample, use_cases
from studio.errors import StudioError
from studio.models import Kind, Prompt, Run
from studio.prices import Prices
from studio.prompting import Prompting
from tests import climbing

SHARES = {"sft": 0.7, "dpo": 0.72, "grpo": 0.9}


def share(name: str) -> float:
    """By the technique in the name; anything else is the base."""
    return next((value for key, value in SHARES.items() if key in name), 0.1)


@pytest.fixture
def project(database: Path) -> int:
    return climbing.use_case()


def of(project: int) -> ladder.Ladder:
    with db.reading() as session:
        return ladder.of(session, climbing.project(session, project))


def test_a_new_use_case_has_four_phases_to_reach_and_says_what_each_needs(project: int) -> None:
    found = of(project)
    assert [rung.phase for rung in found.rungs] == [0, 1, 2, 3, 4]
    assert all(rung.figure is None and rung.verdict == "" for rung in found.rungs)
    needs = {rung.phase: (rung.needs[0].have, rung.needs[0].need) for rung in found.rungs if rung.needs}
    assert needs == {2: (500, 500), 3: (1200, 1000), 4: (1200, 100)}
    assert (found.target, found.apart) == (0.85, [])


def test_each_phase_is_compared_with_the_one_before_on_the_same_questions(project: int) -> None:
    with db.transaction() as session:
        models = [climbing.trained(session, project, name) for name in ("sft", "dpo", "grpo")]
    climbing.measured(project, models, share)
    base, prompt, sft, dpo, grpo = of(project).rungs
    assert base.figure is not None
    assert base.figure.value == pytest.approx(0.1)
    assert prompt.figure is None
    assert (sft.against, sft.verdict) == (sample.STARTER_NAME, "better")
    assert dpo.gain is not None
    assert (dpo.verdict, dpo.gain.change.value) == ("open", pytest.approx(0.02))
    assert (grpo.verdict, grpo.against) == ("better", dpo.entrant and dpo.entrant.name)
    assert grpo.asked == 100


def test_phases_measured_apart_keep_their_figures_but_are_not_compared(project: int) -> None:
    with db.transaction() as session:
        first, second = climbing.trained(session, project), climbing.trained(session, project, "dpo")
    climbing.measured(project, [first], share)
    climbing.measured(project, [second], share)
    found = of(project)
    sft, dpo = found.rungs[2], found.rungs[3]
    assert sft.figure is not None
    assert dpo.figure is not None
    assert (dpo.gain, dpo.verdict) == (None, "")
    assert first.name in found.apart
    assert second.name in found.apart
    with db.transaction() as session:
        run = ladder.measure(session, climbing.project(session, project))
        climbing.answer(session, run, share)
    found = of(project)
    assert found.apart == []
    assert found.rungs[3].gain is not None


def test_an_evaluation_on_other_questions_does_not_count(project: int) -> None:
    with db.transaction() as session:
        found = material.of(session, climbing.project(session, project))
        config = ladder.evaluation(session, climbing.project(session, project), found, [])
        other = config.model_copy(update={"dataset": "Medication directions: prompts"})
        climbing.answer(session, ladder.evaluations.launch(session, other), share)
    assert of(project).rungs[0].figure is None


def test_the_better_of_base_and_prompt_is_what_training_has_to_beat(project: int) -> None:
    with db.transaction() as session:
        prompt = Prompt(project_id=project, number=1, name="told how")
        prompt.prompting = Prompting(system="Answer in JSON.").model_dump(mode="json")
        session.add(prompt)
        session.flush()
        use_cases.get(session, project).prompt_id = prompt.id
    with db.transaction() as session:
        made = climbing.trained(session, project, name="sft two")
        found = material.of(session, climbing.project(session, project))
        entered = [ladder.made_by(session, session.get_one(Run, made.run_id))]
        config = ladder.evaluation(session, climbing.project(session, project), found, entered)
        run = ladder.evaluations.launch(session, config)
        climbing.answer(session, run, lambda name: 0.3 if "told how" in name else share(name))
    _, prompted, sft, *_ = of(project).rungs
    assert (prompted.verdict, prompted.against) == ("better", sample.STARTER_NAME)
    assert sft.against.endswith("told how")


def test_time_and_cost_are_those_of_the_runs(project: int) -> None:
    with db.transaction() as session:
        model = climbing.trained(session, project)
        run = session.get_one(Run, model.run_id)
        run.gpus, run.ended = 2, (run.started or run.created) + timedelta(seconds=1800)
        prices.put(session, Prices(cpu_hour=3.0, currency="EUR"))
    number = climbing.measured(project, [model], share)
    with db.transaction() as session:
        run = session.get_one(Run, number)
        run.ended = (run.started or run.created) + timedelta(seconds=60)
    found = of(project)
    assert (found.rungs[2].runs, found.rungs[2].seconds) == (1, 3600)
    assert (found.measuring, found.seconds) == (60, 3660)
    assert found.price == ladder.Price(3.0, "EUR")


def test_high_stakes_bring_the_guides_gates(project: int) -> None:
    (gate,) = of(project).gates
    assert len(gate.checks) == 4
    with db.transaction() as session:
        climbing.project(session, project).stakes = "low"
    assert of(project).gates == []


def test_without_questions_or_a_metric_it_says_what_is_missing(project: int) -> None:
    with db.transaction() as session:
        without = climbing.project(session, project)
        without.criteria = []
        with pytest.raises(StudioError, match="first criterion"):
            ladder.measure(session, without)


def test_the_ladders_own_evaluation_asks_at_most_300_questions(project: int) -> None:
    with db.transaction() as session:
        run = ladder.measure(session, climbing.project(session, project))
        assert run.kind == Kind.EVALUATE
        assert (run.parameters["items"], run.parameters["max_tokens"]) == (300, 120)


def test_thresholds_set_in_this_studio_count(project: int) -> None:
    with db.transaction() as session:
        preferences.put(session, "thresholds", {"pairs_min": 1500})
    assert [need.need for need in of(project).rungs[3].needs] == [1500]
    with db.transaction() as session:
        sft = climbing.trained(session, project)
    number = climbing.measured(project, [sft], share)
    with db.reading() as session:
        seen = loop.look(session, session.get_one(Run, number))
    assert seen is not None
    assert seen.advice.rule == "L12"
