"""Other trackers are told of a run while it trains: everything once, whatever happens in between."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from studio import db, events, metrics, mirrors, runs, settings
from studio.models import Kind, Mirrored, Run, State, now
from tests.worker.mirror_servers import Mlflow, Refusal, Trackio, served
from worker.mirroring import LONGEST_REST, Mirroring, Rests, all_configured
from worker.mirrors import MIRRORS


@pytest.fixture
def mlflow(database: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mlflow]:
    tracker = Mlflow()
    with served(tracker) as address:
        monkeypatch.setenv("TUNESMITH_MIRROR_MLFLOW", address)
        settings.get.cache_clear()
        yield tracker


@pytest.fixture
def trackio(database: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trackio]:
    tracker = Trackio()
    with served(tracker) as address:
        monkeypatch.setenv("TUNESMITH_MIRROR_TRACKIO", f"{address}/?write_token=token")
        settings.get.cache_clear()
        yield tracker


def training(name: str = "first", **values: Any) -> int:
    with db.transaction() as session:
        run = Run(name=name, technique="grpo", adapter="lora", state=State.RUNNING, attempt=1, started=now())
        run.host, run.parameters = settings.get().host_name, {"learning_rate": 1e-4, "betas": [0.9, 0.999]}
        for key, value in values.items():
            setattr(run, key, value)
        session.add(run)
        session.flush()
        return run.id


def log(run_id: int, *steps: int, **data: Any) -> None:
    with db.transaction() as session:
        values = data or {"loss": 0.5, "rewards/exact match/mean": 0.25}
        rows = [{"step": step, "time": 1.7e9 + step, "data": values} for step in steps]
        metrics.append(session, run_id, rows)


def end(run_id: int, state: State) -> None:
    with db.transaction() as session:
        runs.move(session, runs.get(session, run_id), state)


def history(run_id: int) -> list[tuple[str, str]]:
    with db.reading() as session:
        return [
            (each.what, each.details.get("why", ""))
            for each in events.of(session, f"run:{run_id}")
            if "mirrored" in each.what
        ]


def steps(run: dict[str, Any], key: str = "loss") -> list[int]:
    return sorted(point[1] for point in run["points"] if point[0] == key)


def test_mlflow_has_settings_and_tags_and_each_step_while_the_run_trains(mlflow: Mlflow) -> None:
    run_id = training()
    log(run_id, 1, 2)
    thread = Mirroring(MIRRORS.get("mlflow"))
    thread.look()
    log(run_id, 3)
    thread.look()
    (there,) = mlflow.runs.values()
    assert mlflow.experiments == ["tunesmith"]
    assert steps(there) == steps(there, "rewards/exact match/mean") == [1, 2, 3]
    assert there["params"] == {"learning_rate": "0.0001", "betas": "[0.9, 0.999]", "seed": "42"}
    known = {"technique": "grpo", "adapter": "lora", "tunesmith.run": str(run_id)}
    assert known.items() <= there["tags"].items()
    assert (there["name"], there["status"]) == ("first", "RUNNING")
    assert ("loss", 3, 0.5, 1_700_000_003_000) in there["points"]


@pytest.mark.parametrize(
    ("state", "status"),
    [(State.SUCCEEDED, "FINISHED"), (State.FAILED, "FAILED"), (State.CANCELLED, "KILLED")],
)
def test_the_end_is_told_with_what_was_logged_last(mlflow: Mlflow, state: State, status: str) -> None:
    run_id = training()
    thread = Mirroring(MIRRORS.get("mlflow"))
    thread.look()
    log(run_id, 7)
    end(run_id, state)
    thread.look()
    (there,) = mlflow.runs.values()
    assert (steps(there), there["status"], there["ended"] > 1.7e12) == ([7], status, True)
    asked = len(mlflow.calls)
    thread.look()
    assert len(mlflow.calls) == asked


def test_what_is_no_number_and_what_mlflow_takes_for_no_name_are_told_all_the_same(mlflow: Mlflow) -> None:
    run_id = training()
    log(run_id, 1, **{"loss": "NaN", "rewards/größer/mean": "Infinity"})
    Mirroring(MIRRORS.get("mlflow")).look()
    (there,) = mlflow.runs.values()
    assert {(key, str(value)) for key, _, value, _ in there["points"]} == {
        ("loss", "nan"),
        ("rewards/gr__er/mean", "inf"),
    }


def test_more_than_one_call_takes_is_told_in_several(mlflow: Mlflow) -> None:
    run_id = training()
    log(run_id, *range(1, 901))
    Mirroring(MIRRORS.get("mlflow")).look()
    (there,) = mlflow.runs.values()
    assert steps(there) == list(range(1, 901))
    assert mlflow.calls.count("/api/2.0/mlflow/runs/log-batch") == 1 + 2  # settings; 1,800 values


def test_another_worker_goes_on_where_the_one_before_stopped(mlflow: Mlflow) -> None:
    run_id = training()
    log(run_id, 1, 2)
    Mirroring(MIRRORS.get("mlflow")).look()
    log(run_id, 2, eval_loss=0.75)
    log(run_id, 3)
    asked = len(mlflow.calls)
    Mirroring(MIRRORS.get("mlflow")).look()
    (there,) = mlflow.runs.values()
    assert (steps(there), steps(there, "eval_loss")) == ([1, 2, 3], [2])
    assert len(mlflow.calls) == asked + 1


def test_a_worker_that_died_before_it_noted_its_run_finds_it_again(mlflow: Mlflow) -> None:
    run_id = training()
    log(run_id, 1)
    Mirroring(MIRRORS.get("mlflow")).look()
    with db.transaction() as session:
        known = session.get_one(Mirrored, (run_id, "mlflow"))
        known.place, known.step, known.keys = {}, -1, []
    Mirroring(MIRRORS.get("mlflow")).look()
    (there,) = mlflow.runs.values()
    assert steps(there) == [1]


def test_steps_logged_again_after_a_checkpoint_are_not_told_again(mlflow: Mlflow) -> None:
    run_id = training()
    log(run_id, 1, 2, 3, 4)
    thread = Mirroring(MIRRORS.get("mlflow"))
    thread.look()
    with db.transaction() as session:
        metrics.rewind(session, run_id, 2)
        runs.get(session, run_id).attempt = 2
        again = [{"step": step, "time": 1.8e9 + step, "data": {"loss": 0.5, "kl": 0.1}} for step in (3, 4, 5)]
        metrics.append(session, run_id, again)
    thread.look()
    (there,) = mlflow.runs.values()
    assert steps(there) == [1, 2, 3, 4, 5]
    assert steps(there, "kl") == [4, 5]


def test_a_server_that_was_away_gets_everything_and_the_history_says_so_once(mlflow: Mlflow) -> None:
    run_id = training()
    thread = Mirroring(MIRRORS.get("mlflow"))
    clock = [0.0]
    thread._rests.clock = lambda: clock[0]
    thread.look()
    mlflow.down = Refusal(503, {"message": "busy"})
    for _ in range(3):
        log(run_id, *range(int(clock[0]) + 1, int(clock[0]) + 11))
        clock[0] += 10
        thread.look()
    assert [what for what, _ in history(run_id)] == ["run mirrored", "run not mirrored"]
    assert history(run_id)[1][1] == "to MLflow: it answered 503: busy. It is tried again; the run goes on"
    mlflow.down = None
    clock[0] += 10
    thread.look()
    (there,) = mlflow.runs.values()
    assert steps(there) == list(range(1, 31))
    assert history(run_id)[2:] == [("run mirrored again", "to MLflow, nothing was left out")]


def test_a_server_that_was_never_there_does_not_hinder_the_run(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNESMITH_MIRROR_MLFLOW", "http://127.0.0.1:9")
    settings.get.cache_clear()
    run_id = training()
    log(run_id, 1)
    thread = Mirroring(MIRRORS.get("mlflow"))
    thread.look()
    thread.look()
    ((what, why),) = history(run_id)
    assert what == "run not mirrored"
    assert "the server cannot be reached (" in why
    with db.reading() as session:
        assert runs.get(session, run_id).state == State.RUNNING


def test_a_run_that_is_refused_does_not_hold_up_the_others(mlflow: Mlflow) -> None:
    first, second = training("first"), training("second")
    log(first, 1)
    log(second, 1)
    thread = Mirroring(MIRRORS.get("mlflow"))
    thread.look()
    there = {run["name"]: run for run in mlflow.runs.values()}
    there["first"]["params"]["seed"] = "43"  # somebody changed it there
    with db.transaction() as session:
        session.get_one(Mirrored, (first, "mlflow")).place = {}
    log(second, 2)
    thread.look()
    assert steps(there["second"]) == [1, 2]
    assert history(first)[-1][1].startswith("to MLflow: it answered 400: Params cannot change.")
    assert "run not mirrored" not in dict(history(second))


def test_trackio_has_each_row_once_with_the_settings_and_how_it_ended(trackio: Trackio) -> None:
    run_id = training()
    log(run_id, 1, 2)
    thread = Mirroring(MIRRORS.get("trackio"))
    thread.look()
    with db.transaction() as session:  # it died after the server had the rows and before it noted that
        known = session.get_one(Mirrored, (run_id, "trackio"))
        known.step, known.keys = -1, []
    log(run_id, 3)
    end(run_id, State.FAILED)
    thread.look()
    logged = [row for row in trackio.rows.values() if row["metrics"]]
    assert sorted(row["step"] for row in logged) == [1, 2, 3]
    assert {(row["project"], row["run"]) for row in logged} == {("tunesmith", "first")}
    (config,) = trackio.configs.values()
    assert (config["learning_rate"], config["technique"], config["state"]) == ("0.0001", "grpo", "failed")


def test_a_wrong_token_is_said_as_the_server_says_it_and_shown_nowhere(
    trackio: Trackio, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = settings.get().mirror_trackio.replace("=token", "=wrong")
    monkeypatch.setenv("TUNESMITH_MIRROR_TRACKIO", address)
    settings.get.cache_clear()
    run_id = training()
    Mirroring(MIRRORS.get("trackio")).look()
    ((_, why),) = history(run_id)
    assert "A write_token is required" in why
    assert "wrong" not in why
    assert mirrors.shown("http://me:pw@host:80/a?write_token=x&b=1") == "http://host:80/a?b=1"


def test_who_asks_comes_from_the_variables_mlflow_itself_reads(
    mlflow: Mlflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    training()
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "abc")
    Mirroring(MIRRORS.get("mlflow")).look()
    assert mlflow.headers["Authorization"] == "Bearer abc"


def test_only_trainings_of_this_machine_are_told_and_none_of_before(mlflow: Mlflow) -> None:
    old = training("old", state=State.SUCCEEDED, ended=now() - timedelta(hours=1))
    training("elsewhere", host="another")
    training("chat", kind=Kind.SERVE)
    thread = Mirroring(MIRRORS.get("mlflow"))
    quick = training("quick", state=State.SUCCEEDED, ended=now())
    log(old, 1)
    log(quick, 1)
    thread.look()
    assert [run["name"] for run in mlflow.runs.values()] == ["quick"]


def test_the_thread_tells_what_is_new_and_leaves_after_a_last_look(mlflow: Mlflow) -> None:
    run_id = training()
    (thread,) = all_configured()
    thread.start()
    log(run_id, 1)
    end(run_id, State.SUCCEEDED)
    thread.leave()
    assert not thread.is_alive()
    (there,) = mlflow.runs.values()
    assert (steps(there), there["status"]) == ([1], "FINISHED")


def test_rests_grow_up_to_a_bound_and_are_forgotten_after_a_success() -> None:
    clock = [0.0]
    rests = Rests(lambda: clock[0])
    lengths = []
    for _ in range(12):
        rests.begin(7)
        began = clock[0]
        while rests.has(7):
            clock[0] += 0.5
        lengths.append(clock[0] - began)
    assert lengths[:4] == [1, 2, 4, 8]
    assert lengths[-1] == LONGEST_REST
    rests.end(7)
    rests.begin(7)
    clock[0] += 1
    assert not rests.has(7)


def test_without_a_setting_nobody_is_told(database: Path) -> None:
    assert all_configured() == []
