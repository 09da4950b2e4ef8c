"""A climb, advanced by hand with made-up runs: each branch, its limits, and that a step is launched once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from studio import climbs, db, evaluations, loop, metrics, prices, prompts, runs, sample
from studio.errors import Refused, StudioError
from studio.models import Climb, DatasetVersion, Kind, Model, Prompt, Run, State, now
from studio.prices import Prices
from studio.prompting import Prompting
from tests import climbing, made_runs

Share = Callable[[str], float]
SHARES = {"SFT": 0.5, "DPO": 0.52, "GRPO": 0.6}


def share(name: str, **changed: float) -> float:
    known = SHARES | changed
    return next((value for key, value in known.items() if f": {key}" in name), 0.1)


@pytest.fixture
def project(database: Path) -> int:
    return climbing.use_case()


def begin(project: int, until: int = 4, **limits: float) -> int:
    with db.transaction() as session:
        return climbs.start(session, project, until, **limits).id


def show(climb: int) -> Climb:
    with db.reading() as session:
        return climbs.get(session, climb)


def waited(climb: int) -> Run:
    with db.reading() as session:
        return session.get_one(Run, show(climb).run_id)


def go_on(climb: int, shares: Share = share, tries: float = 0.5) -> str:
    """What a worker and a machine do: one look, and the run that it launched is carried out. Returns what
    that was; empty when the climb has ended."""
    climbs.look()
    if show(climb).state != climbs.GOING:
        return ""
    with db.transaction() as session:
        run = session.get_one(Run, show(climb).run_id)
        if run.kind == Kind.TRAIN:
            climbing.succeed(session, run)
            return run.technique
        climbing.answer(session, run, shares, tries=tries)
        return run.kind.value


def go_to_the_end(climb: int, shares: Share = share, tries: float = 0.5) -> list[str]:
    found = []
    while did := go_on(climb, shares, tries):
        found.append(did)
        assert len(found) < 20
    return found


def test_it_goes_from_the_prompt_over_sft_and_dpo_to_grpo_measuring_each(project: int) -> None:
    climb = begin(project)
    did = go_to_the_end(climb)
    assert did == ["evaluate", "sft", "evaluate", "dpo", "evaluate", "grpo", "evaluate"]
    ended = show(climb)
    assert ended.state == climbs.DONE
    assert "Phase 4 is measured" in ended.reason
    assert [step["phase"] for step in ended.steps] == [1, 2, 2, 3, 3, 4, 4]
    assert [step.get("found") for step in ended.steps[::2]] == ["L07", "L11", "L13", "L99"]
    with db.reading() as session:
        last = session.get_one(Run, ended.steps[-1]["run"])
        assert len(last.parameters["contestants"]) == 5  # base, prompt, and a model of every phase
        assert climbing.project(session, project).phase == 4


def test_each_training_begins_with_the_best_model_so_far(project: int) -> None:
    climb = begin(project)
    go_to_the_end(climb)
    sft, dpo, grpo = (step["run"] for step in show(climb).steps[1::2])
    with db.reading() as session:
        made_by = {
            run: session.get_one(Model, session.get_one(Run, run).model_id).run_id for run in (sft, dpo, grpo)
        }
        assert made_by == {sft: None, dpo: sft, grpo: dpo}
        trainings = [session.get_one(Run, run) for run in (sft, dpo, grpo)]
        assert [run.priority for run in trainings] == [climbs.BEHIND] * 3
        assert [run.graders[0]["grader"] for run in trainings if run.graders] == ["exact_match"]
        assert trainings[0].adapter == "full"


def test_a_step_that_lost_is_not_built_upon(project: int) -> None:
    climb = begin(project)
    did = go_to_the_end(climb, lambda name: share(name, DPO=0.3))
    assert did[3:] == ["dpo", "evaluate", "grpo", "evaluate"]
    sft, _, grpo = (step["run"] for step in show(climb).steps[1::2])
    step = show(climb).steps[4]
    assert step["found"] == "L02"
    assert "is worse than what came before, so it is not built upon" in show(climb).steps[5]["why"]
    with db.reading() as session:
        assert session.get_one(Model, session.get_one(Run, grpo).model_id).run_id == sft


def test_a_prompt_that_lost_is_left_and_the_examples_are_trained_on(project: int) -> None:
    climb = begin(project, until=2)
    did = go_to_the_end(climb, lambda name: 0.5 if name == sample.STARTER_NAME else 0.1)
    assert did == ["evaluate", "sft", "evaluate"]
    assert show(climb).steps[0]["found"] == "L01"


def test_it_ends_where_the_target_is_met(project: int) -> None:
    climb = begin(project)
    did = go_to_the_end(climb, lambda name: share(name, SFT=0.96))
    assert did == ["evaluate", "sft", "evaluate"]
    ended = show(climb)
    assert ended.state == climbs.DONE
    assert "The target is met" in ended.reason


def test_near_the_target_it_asks_more_questions_before_it_goes_on(project: int) -> None:
    climb = begin(project)
    assert [go_on(climb) for _ in range(2)] == ["evaluate", "sft"]
    near = lambda name: share(name, SFT=0.9)  # noqa: E731
    assert go_on(climb, near) == "evaluate"
    climbs.look()
    again = waited(climb)
    assert again.kind == Kind.EVALUATE
    assert again.parameters["items"] == 196
    assert show(climb).steps[-1]["rule"] == "L04"
    assert again.priority == climbs.BEHIND


def test_without_any_success_among_eight_tries_it_does_not_reinforce(project: int) -> None:
    climb = begin(project)
    assert "grpo" not in go_to_the_end(climb, tries=0.0)
    ended = show(climb)
    assert ended.state == climbs.DONE
    assert "nothing to reinforce" in ended.reason


def test_eight_tries_are_only_asked_for_where_reinforcement_may_follow(project: int) -> None:
    climb = begin(project)
    go_to_the_end(climb)
    measured = [step["run"] for step in show(climb).steps[::2]]
    with db.reading() as session:
        samples = [session.get_one(Run, run).parameters["samples"] for run in measured]
    assert samples == [0, 0, 8, 0]
    assert show(climb).steps[5]["gates"][1]["says"].startswith("one of eight tries is right on 50%")


def test_without_enough_pairs_it_skips_to_what_it_has_data_for(project: int) -> None:
    with db.transaction() as session:
        session.execute(update(DatasetVersion).where(DatasetVersion.shape == "preference").values(rows=999))
    assert go_to_the_end(begin(project)) == ["evaluate", "sft", "evaluate", "grpo", "evaluate"]


@pytest.mark.parametrize(
    ("until", "did"), [(1, ["evaluate"]), (3, ["evaluate", "sft", "evaluate", "dpo", "evaluate"])]
)
def test_it_climbs_no_higher_than_it_may(project: int, until: int, did: list[str]) -> None:
    climb = begin(project, until=until)
    assert go_to_the_end(climb) == did
    assert "no higher" in show(climb).reason


def test_what_the_use_case_has_trained_already_is_measured_and_built_upon(project: int) -> None:
    with db.transaction() as session:
        climbing.trained(session, project, name="mine: SFT")
    assert go_to_the_end(begin(project, until=3)) == ["evaluate", "dpo", "evaluate"]


def test_a_prompt_is_made_of_training_rows_where_there_is_none(project: int) -> None:
    climb = begin(project, until=1)
    go_to_the_end(climb)
    with db.reading() as session:
        (prompt,) = session.query(Prompt).all()
        assert climbing.project(session, project).prompt_id == prompt.id
        assert len(prompt.prompting["examples"]) == 4
        run = session.get_one(Run, show(climb).steps[0]["run"])
        assert len(run.parameters["contestants"]) == 2


def test_a_version_that_was_written_but_not_chosen_is_measured_and_none_is_made(project: int) -> None:
    with db.transaction() as session:
        prompts.create(session, project, Prompting(system="Answer in JSON."), name="mine")
    climb = begin(project, until=1)
    go_to_the_end(climb)
    with db.reading() as session:
        run = session.get_one(Run, show(climb).steps[0]["run"])
        assert evaluations.names(run) == [sample.STARTER_NAME, f"{sample.STARTER_NAME}, v1 · mine"]
        assert climbing.project(session, project).prompt_id is None


def test_a_failed_run_ends_the_climb_in_words(project: int) -> None:
    climb = begin(project)
    go_on(climb)
    climbs.look()
    with db.transaction() as session:
        run = session.get_one(Run, show(climb).run_id)
        run.error = {"message": "The disk is full."}
        climbing.finish(session, run, State.FAILED)
    climbs.look()
    ended = show(climb)
    assert ended.state == climbs.STOPPED
    assert "failed. The disk is full." in ended.reason


def test_a_run_that_somebody_stopped_ends_the_climb(project: int) -> None:
    climb = begin(project)
    climbs.look()
    with db.transaction() as session:
        runs.stop(session, waited(climb).id)
    climbs.look()
    assert "was stopped" in show(climb).reason


def test_a_paused_run_is_waited_for(project: int) -> None:
    climb = begin(project)
    climbs.look()
    with db.transaction() as session:
        runs.stop(session, waited(climb).id, pause=True)
    assert climbs.look() is False
    assert show(climb).state == climbs.GOING


def test_stopping_a_climb_stops_what_it_waits_for(project: int) -> None:
    climb = begin(project)
    climbs.look()
    with db.transaction() as session:
        climbs.stop(session, climb, "ada")
    assert waited(climb).state == State.CANCELLED
    assert (show(climb).state, show(climb).reason) == (climbs.STOPPED, "Somebody stopped it.")
    assert climbs.look() is False
    with db.transaction() as session, pytest.raises(Refused, match="ended already"):
        climbs.stop(session, climb)


def test_when_its_time_is_over_the_run_is_stopped_as_a_person_would(project: int) -> None:
    climb = begin(project, seconds=600.0)
    climbs.look()
    with db.transaction() as session:
        run = session.get_one(Run, show(climb).run_id)
        runs.move(session, run, State.CLAIMED)
        runs.move(session, run, State.RUNNING)
        climbs.get(session, climb).created = now() - timedelta(seconds=599)
    assert climbs.look() is False
    with db.transaction() as session:
        climbs.get(session, climb).created = now() - timedelta(seconds=601)
    assert climbs.look() is True
    assert waited(climb).wish == "stop"
    assert "time it was given is over" in show(climb).reason


def test_money_is_counted_by_the_hours_of_its_runs(project: int) -> None:
    with db.transaction() as session:
        prices.put(session, Prices(cpu_hour=2.0, currency="EUR"))
    climb = begin(project, budget=1.0)
    climbs.look()
    with db.transaction() as session:
        run = session.get_one(Run, show(climb).run_id)
        runs.move(session, run, State.CLAIMED)
        runs.move(session, run, State.RUNNING)
        run.started = now() - timedelta(minutes=29)
    assert climbs.look() is False
    with db.transaction() as session:
        session.get_one(Run, show(climb).run_id).started = now() - timedelta(minutes=31)
    assert climbs.look() is True
    assert "money it was given is used up" in show(climb).reason


@pytest.mark.parametrize(("step", "launched"), [(1.0, True), (3.0, False)])
def test_a_step_is_not_launched_that_would_outlast_the_limit(
    project: int, step: float, launched: bool
) -> None:
    with db.transaction() as session:
        made_runs.host(session)
        run = session.get_one(Run, climbing.trained(session, project).run_id)
        run.host, run.attempt, run.step, run.total_steps, run.project_id = "workstation", 1, 256, 256, None
        run.ended = (run.started or now()) + timedelta(seconds=256 * step)
        logged = [{"step": n, "time": 1e9 + n * step, "data": {"loss": 1.0}} for n in range(1, 257)]
        metrics.append(session, run.id, logged)
    climb = begin(project, seconds=600.0)
    assert go_on(climb) == "evaluate"
    climbs.look()
    assert (show(climb).state == climbs.GOING) is launched
    if not launched:
        assert "about 13 min, as runs like it took here, and 10 min are left" in show(climb).reason


def test_looking_again_and_at_the_same_time_launches_a_step_once(project: int) -> None:
    climb = begin(project)
    climbs.look()
    assert climbs.look() is False
    with db.transaction() as session:
        climbing.answer(session, session.get_one(Run, show(climb).run_id), share)
    with ThreadPoolExecutor(4) as workers:
        list(workers.map(lambda _: climbs.look(), range(8)))
    with db.reading() as session:
        assert session.query(Run).filter_by(kind=Kind.TRAIN).count() == 1
    assert len(show(climb).steps) == 2


def test_a_use_case_climbs_once_at_a_time(project: int) -> None:
    begin(project)
    with pytest.raises(Refused, match="climbing already"):
        begin(project)


def test_a_climb_that_could_not_begin_or_be_bounded_is_refused(project: int) -> None:
    with pytest.raises(StudioError, match="Money cannot be counted"):
        begin(project, budget=5.0)
    with pytest.raises(StudioError, match="no phase 5"):
        begin(project, until=5)
    with pytest.raises(StudioError, match="above 0"):
        begin(project, seconds=0.0)
    with db.transaction() as session:
        climbing.project(session, project).criteria = []
    with pytest.raises(StudioError, match="first criterion"):
        begin(project)


def test_a_refusal_on_the_way_ends_the_climb_with_its_words(project: int) -> None:
    climb = begin(project)
    go_on(climb)
    with db.transaction() as session:
        climbing.project(session, project).criteria = []
    climbs.look()
    assert show(climb).state == climbs.STOPPED
    assert show(climb).reason


def test_a_fault_of_the_studio_ends_the_climb_and_nothing_else(
    project: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    climb = begin(project)
    go_on(climb)
    monkeypatch.setattr(loop, "look", lambda *_, **__: 1 / 0)
    climbs.look()
    assert "ZeroDivisionError" in show(climb).reason
