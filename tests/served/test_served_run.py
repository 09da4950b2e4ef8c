"""The main job on PostgreSQL and Redis, by Compose's own commands."""

import signal
import stat

import httpx
import pytest

from tests.running import until
from tests.served.conftest import SHORT, Served, launch

STAY = ("broker", "web", "worker")


def test_nobody_gets_in_without_logging_in(served: Served) -> None:
    with httpx.Client(base_url=served.url) as stranger:
        assert stranger.get("/api/runs").status_code == 401
        assert stranger.get("/health").status_code == 200


@pytest.mark.parametrize("service", ["database", *STAY])
def test_a_health_check_passes(served: Served, service: str) -> None:
    until(lambda: served.healthy(service), 30, f"{service} to be healthy; {served.log()}")


def test_secrets_lie_in_a_closed_folder(served: Served) -> None:
    assert stat.S_IMODE(served.secrets.stat().st_mode) == 0o700
    assert len({file.read_text() for file in served.secrets.iterdir()}) == len(list(served.secrets.iterdir()))


def test_secrets_appear_in_no_process_list(served: Served) -> None:
    password = (served.secrets / "broker_password").read_text()
    assert all(password not in " ".join(served.part(name).cmdline()) for name in STAY)


def test_a_dataset_becomes_a_trained_model(served: Served, undisturbed: int) -> None:
    assert [step for _, step, _ in served.metric_rows(undisturbed)] == list(range(1, SHORT["max_steps"] + 1))
    answer = served.api.get("/api/metrics", params={"run": undisturbed}).json()
    assert answer
    assert served.rows("SELECT count(*) FROM model WHERE run_id = :run", run=undisturbed)[0][0] == 1


def test_a_killed_trainer_loses_nothing(served: Served, labelled: int, undisturbed: int) -> None:
    run = launch(served, labelled)
    served.reach(run, 15)
    served.trainer(run).send_signal(signal.SIGKILL)
    assert served.finish(run)["attempt"] == 2
    assert served.metric_rows(run) == served.metric_rows(undisturbed)


def test_a_restarted_broker_leaves_a_run_untouched(served: Served, labelled: int, undisturbed: int) -> None:
    run = launch(served, labelled)
    served.reach(run, 5)
    served.end("broker")
    served.begin("broker")
    assert served.show(run)["state"] == "running", "the broker was gone while it ran"
    assert served.finish(run)["attempt"] == 1
    assert served.metric_rows(run) == served.metric_rows(undisturbed)
    until(lambda: served.healthy("worker"), 30, "the worker to hear the new broker")
