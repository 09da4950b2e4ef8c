"""Launching, moving, fencing and placing runs, without any process."""

from pathlib import Path

import pytest

from studio import attempts, chats, db, events, runs, sample, weights
from studio.attempts import Watch
from studio.errors import NotFound, Refused, StudioError
from studio.exits import Exit
from studio.models import Answer, Kind, Lease, Run, State
from studio.runs import MOVES, RunConfig

CPU = [
    {"name": "cpu:0", "kinds": ["train"]},
    {"name": "chat:0", "kinds": ["serve"]},
]


def gpus(count: int) -> list[dict[str, object]]:
    return [{"name": f"gpu:{n}", "kinds": ["train", "serve"]} for n in range(count)]


@pytest.fixture
def config(database: Path) -> RunConfig:
    project = sample.load()
    with db.reading() as session:
        return sample.first_config(session, project)


def launch(config: RunConfig, **changes: object) -> int:
    with db.transaction() as session:
        return runs.launch(session, config.model_copy(update=changes)).id


def claim(devices: list[dict[str, object]], host: str = "here") -> attempts.Assignment | None:
    with db.transaction() as session:
        return attempts.claim(session, host, devices)


def test_launch_fills_in_what_suits_the_model_and_keeps_what_was_set(config: RunConfig) -> None:
    run_id = launch(config, parameters={"num_train_epochs": 2})
    with db.reading() as session:
        run = runs.get(session, run_id)
        assert run.parameters["learning_rate"] == pytest.approx(2e-3)
        assert run.parameters["num_train_epochs"] == 2
        assert run.state == State.QUEUED


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        ({"model": ""}, "model", "Choose a model"),
        ({"technique": "sftt"}, "", "no technique"),
        ({"parameters": {"learning_rat": 1}}, "learning_rat", "did you mean “learning_rate”"),
        ({"parameters": {"learning_rate": -1}}, "learning_rate", "greater than 0"),
        ({"dataset": "Medication directions: thumbs"}, "dataset", "rows are labelled"),
        ({"dataset": "nothing"}, "dataset", "no dataset"),
        ({"model": "/nowhere/at/all"}, "model", "neither a folder"),
        ({"held_out": "Medication directions: labelled"}, "held_out", "is the training data"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_name(
    config: RunConfig, changes: dict[str, object], field: str, says: str
) -> None:
    with pytest.raises(StudioError, match=says) as refusal:
        launch(config, **changes)
    assert refusal.value.field == field
    with db.reading() as session:
        assert not runs.listed(session)


def test_only_sensible_moves_are_possible(config: RunConfig) -> None:
    for before in State:
        for after in State:
            with db.transaction() as session:
                run = Run(name="x", state=before)
                session.add(run)
                session.flush()
                if after in MOVES[before]:
                    runs.move(session, run, after)
                    assert run.state == after
                else:
                    with pytest.raises(Refused):
                        runs.move(session, run, after)


def test_the_oldest_run_of_the_highest_priority_goes_first(config: RunConfig) -> None:
    launch(config)
    urgent = launch(config, priority=5)
    given = claim(CPU)
    assert given is not None
    assert given.run_id == urgent
    assert given.devices == ["cpu:0"]
    assert claim(CPU) is None


def test_several_gpus_are_taken_all_or_nothing_and_the_large_run_is_not_passed(config: RunConfig) -> None:
    first = launch(config)
    large = launch(config, gpus=2)
    launch(config)
    given = claim(gpus(2))
    assert given is not None
    assert given.run_id == first
    assert claim(gpus(2)) is None
    with db.transaction() as session:
        assert attempts.beat(session, first, 1)
        attempts.begin(session, first, 1, 1, 0.0)
        attempts.end(session, first, 1, Exit.DONE)
    given = claim(gpus(2))
    assert given is not None
    assert given.run_id == large
    assert given.devices == ["gpu:0", "gpu:1"]


def test_a_run_larger_than_this_host_is_left_to_others(config: RunConfig) -> None:
    launch(config, gpus=8)
    small = launch(config)
    given = claim(gpus(1))
    assert given is not None
    assert given.run_id == small


def test_chat_does_not_wait_for_a_training_on_a_cpu(config: RunConfig) -> None:
    launch(config)
    claim(CPU)
    with db.transaction() as session:
        serving = runs.serve(session).id
        assert runs.serve(session).id == serving
    given = claim(CPU)
    assert given is not None
    assert given.run_id == serving
    assert given.kind == Kind.SERVE


def test_a_question_is_asked_again_when_the_process_that_had_it_died(config: RunConfig) -> None:
    with db.transaction() as session:
        model = weights.find(session, sample.STARTER_NAME).id
        run_id = chats.ask(session, [model], "hello")[0].run_id
    assert run_id
    for attempt in (1, 2):
        assert claim(CPU)
        with db.transaction() as session:
            assert attempts.begin(session, run_id, attempt, 1, 0.0)
            assert [a.messages[-1]["content"] for a in attempts.take_questions(session, run_id)] == ["hello"]
            assert not attempts.take_questions(session, run_id)
        with db.transaction() as session:
            attempts.end(session, run_id, attempt, -9 if attempt == 1 else Exit.DONE)
    with db.reading() as session:
        answers = session.query(Answer).all()
        assert [answer.state for answer in answers] == ["failed"], "it ended without an answer and says so"


def test_a_replaced_attempt_can_write_nothing(config: RunConfig) -> None:
    run_id = launch(config)
    claim(CPU)
    with db.transaction() as session:
        noted = attempts.beat(session, run_id, 1)
        assert noted is not None
        run = runs.get(session, run_id)
        assert attempts.requeue(session, run_id, 1, run.beat, "lost")
    again = claim(CPU)
    assert again is not None
    assert again.attempt == 2
    with db.transaction() as session:
        assert attempts.beat(session, run_id, 1) is None
        assert attempts.end(session, run_id, 1, Exit.DONE) is None
        assert runs.get(session, run_id).state == State.CLAIMED


def test_a_slow_runner_that_wrote_in_time_keeps_its_run(config: RunConfig) -> None:
    run_id = launch(config)
    claim(CPU)
    with db.transaction() as session:
        seen = runs.get(session, run_id).beat
        attempts.beat(session, run_id, 1)
        assert not attempts.requeue(session, run_id, 1, seen, "slow")


def test_death_is_observed_over_successful_looks_only(config: RunConfig) -> None:
    run_id = launch(config)
    claim(CPU)
    watch, clock = Watch(stale_after=15), 0.0
    with db.reading() as session:
        for clock in (0, 5, 10, 15):
            assert not watch.look(session, lambda at=clock: float(at))
        assert [d[0] for d in watch.look(session, lambda: 20.0)] == [run_id]
        later = Watch(stale_after=15)
        assert not later.look(session, lambda: 0.0)
        assert not later.look(session, lambda: 1000.0), "a database that was away expires nobody"


@pytest.mark.parametrize(
    ("code", "crashes", "state"),
    [
        (Exit.DONE, 0, State.SUCCEEDED),
        (Exit.FAILED, 0, State.FAILED),
        (Exit.INTERRUPTED, 0, State.QUEUED),
        (-9, 0, State.QUEUED),
        (-9, attempts.MOST_CRASHES, State.FAILED),
    ],
)
def test_the_exit_code_decides_the_end(config: RunConfig, code: int, crashes: int, state: State) -> None:
    run_id = launch(config)
    claim(CPU)
    with db.transaction() as session:
        run = attempts.begin(session, run_id, 1, 1, 0.0)
        assert run is not None
        run.crashes = crashes
    with db.transaction() as session:
        assert attempts.end(session, run_id, 1, code) == state
        run = runs.get(session, run_id)
        assert bool(run.error) == (state == State.FAILED)
        assert not session.query(Lease).all()


def test_a_clone_says_what_it_was_cloned_from_and_equals_it(config: RunConfig) -> None:
    run_id = launch(config)
    with db.reading() as session:
        run = runs.get(session, run_id)
        cloned = runs.config_of(run)
    assert cloned.parent == run_id
    copy = launch(cloned)
    with db.reading() as session:
        assert runs.get(session, copy).parameters == runs.get(session, run_id).parameters


def test_a_run_in_progress_is_not_deleted(config: RunConfig) -> None:
    run_id = launch(config)
    with db.transaction() as session, pytest.raises(Refused, match="queued"):
        runs.delete(session, run_id)
    with db.transaction() as session:
        runs.stop(session, run_id)
    with db.transaction() as session:
        runs.delete(session, run_id)
    with db.reading() as session, pytest.raises(NotFound):
        runs.get(session, run_id)


def test_every_move_is_in_the_audit_trail(config: RunConfig) -> None:
    run_id = launch(config)
    claim(CPU)
    with db.reading() as session:
        said = [event.what for event in events.of(session, f"run:{run_id}")]
        assert said == ["run launched", "run claimed"]
        chain = events.of(session, f"run:{run_id}")
        assert chain[1].previous == chain[0].digest
