"""Hosts with their devices and the queue; and the page of settings, which keeps secrets to itself."""

from datetime import timedelta
from pathlib import Path

import pytest

from app.pages import settings as settings_page
from studio import db, settings
from studio.models import Host, Lease, State, now
from tests import made_runs


def read(name: str) -> str:
    answer = made_runs.fragments().get(f"/parts/{name}")
    assert answer.status_code == 200
    return answer.text


def test_without_a_worker_the_page_says_how_to_start_one(database: Path) -> None:
    text = read("workers")
    assert "No worker has been here yet" in text
    assert "tunesmith worker" in text


def test_a_device_shows_the_run_that_holds_it(database: Path) -> None:
    with db.transaction() as session:
        made_runs.host(session, made_runs.CPU, made_runs.CPU | {"name": "cpu:1"})
        run = made_runs.made(
            session,
            made_runs.base(session),
            made_runs.version(session),
            State.RUNNING,
            losses=[1.0],
            name="alpha",
        )
        session.add(Lease(host="workstation", device="cpu:0", run_id=run.id, attempt=1))
    text = read("workers")
    assert "workstation" in text
    assert "2 cores" in text
    assert f'href="/run?id={run.id}"' in text
    assert text.count(">free<") == 1


def test_a_silent_host_is_said_to_be_silent(database: Path) -> None:
    with db.transaction() as session:
        made_runs.host(session)
        session.get_one(Host, "workstation").seen = now() - timedelta(minutes=5)
    text = read("workers")
    assert "silent" in text
    assert "No worker is running" in text
    assert ">free<" not in text


def test_the_queue_is_in_the_order_in_which_it_is_served(database: Path) -> None:
    with db.transaction() as session:
        made_runs.host(session)
        model, data = made_runs.base(session), made_runs.version(session)
        for name, priority in (("early", 0), ("late", 0), ("urgent", 5)):
            made_runs.made(session, model, data, name=name, priority=priority)
    text = read("workers")
    assert text.index("urgent") < text.index("early") < text.index("late")


def test_every_setting_is_listed_with_its_variable(database: Path) -> None:
    text = read("settings")
    for name in settings.Settings.model_fields:
        assert f"TUNESMITH_{name.upper()}" in text
    assert str(database.resolve()) in text


def test_secrets_and_passwords_are_never_shown(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNESMITH_ADMIN_PASSWORD", "hunter22hunter22")
    monkeypatch.setenv("TUNESMITH_SECRET", "signing-key-signing-key")
    monkeypatch.setenv("TUNESMITH_BROKER", "redis://:passw0rd@broker:6379/0")
    settings.get.cache_clear()
    text = read("settings")
    for secret in ("hunter22", "signing-key", "passw0rd"):
        assert secret not in text
    assert "redis://:***@broker:6379/0" in text


def test_an_address_that_cannot_be_read_is_hidden_whole() -> None:
    assert settings_page.without_password("not an address with s3cret") == "set, hidden"
