"""What people read of runs that another tracker is told of."""

import socket
from pathlib import Path

import pytest

from app import checkup
from studio import db, mirrors, settings
from studio.models import Run, State
from tests import made_runs

ADDRESS = "http://ada:pw@tracker:7860/?write_token=tok3n"


def read(name: str, query: str = "") -> str:
    answer = made_runs.fragments().get(f"/parts/{name}?{query}")
    assert answer.status_code == 200
    return answer.text


@pytest.fixture
def run(database: Path) -> Run:
    with db.transaction() as session:
        run = made_runs.made(session, made_runs.base(session), made_runs.version(session), State.RUNNING)
        mirrors.begin(session, run.id, "mlflow", ADDRESS)
    return run


def test_the_settings_of_a_run_lead_to_its_mirror(run: Run) -> None:
    with db.transaction() as session:
        known = mirrors.find(session, run.id, "mlflow", ADDRESS)
        assert known
        mirrors.opened(session, known, "MLflow", {"run": "a"}, f"{ADDRESS}#/experiments/1/runs/a")
    text = read("run-view", f"id={run.id}&tab=settings")
    assert "Mirrored to MLflow" in text
    assert 'href="http://tracker:7860/#/experiments/1/runs/a"' in text
    assert "Mirrored" in (history := read("run-view", f"id={run.id}&tab=history"))
    assert "to MLflow at http://tracker:7860/#/experiments/1/runs/a" in history
    assert "tok3n" not in text + history


def test_what_is_in_the_way_is_said_until_it_is_over(run: Run) -> None:
    with db.transaction() as session:
        known = mirrors.find(session, run.id, "mlflow", ADDRESS)
        assert known
        mirrors.hinder(session, known, "MLflow", "it answered 503: busy.")
    assert "Not for now: it answered 503: busy." in read("run-view", f"id={run.id}&tab=settings")
    assert "Not mirrored for now" in read("run-view", f"id={run.id}&tab=history")
    with db.transaction() as session:
        known = mirrors.find(session, run.id, "mlflow", ADDRESS)
        assert known
        mirrors.recover(session, known, "MLflow")
    assert "Not for now" not in read("run-view", f"id={run.id}&tab=settings")


def test_the_page_of_settings_shows_where_a_mirror_is_without_its_token(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNESMITH_MIRROR_TRACKIO", ADDRESS)
    settings.get.cache_clear()
    text = read("settings")
    assert "http://tracker:7860/" in text
    assert "tok3n" not in text.split("http://tracker:7860/")[1].split("</tr>")[0]
    assert "pw@" not in text


def test_doctor_says_whether_somebody_listens_where_runs_are_mirrored_to(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert checkup.mirrors() == []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        monkeypatch.setenv("TUNESMITH_MIRROR_MLFLOW", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("TUNESMITH_MIRROR_TRACKIO", "http://127.0.0.1:9/?write_token=tok3n")
        settings.get.cache_clear()
        there, away = checkup.mirrors()
    assert there["says"] == f"127.0.0.1:{port} answers"
    assert "127.0.0.1:9 does not answer" in away["says"]
    assert "tok3n" not in away["says"]
