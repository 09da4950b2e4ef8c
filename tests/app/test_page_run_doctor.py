"""What the doctor says of a run: on its page, in tables, over REST, in the command line, and in a clone."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from app import errors
from app.api import doctor as api
from app.api import new_run as new_run_api
from app.cli import main
from app.pages import new_run, settings
from app.setup import beginning
from studio import db, doctor, metrics
from studio.errors import StudioError
from studio.models import Run, State
from tests import made_runs

PAGES = [new_run.PAGE, settings.PAGE]
LOSSES = [2.0, 1.9, 1.8, *[9.0] * 17]  # of a run that diverged


@pytest.fixture
def client(database: Path) -> TestClient:
    app = FastAPI()
    errors.install(app)
    app.include_router(api.router)
    app.include_router(new_run_api.router)
    return TestClient(app)


def read(name: str, query: str = "") -> str:
    answer = made_runs.fragments().get(f"/parts/{name}?{query}")
    assert answer.status_code == 200
    return answer.text


def made(session: Session, losses: Any = LOSSES, state: State = State.RUNNING, **more: Any) -> Run:
    number = more.pop("number", 1)
    model = made_runs.base(session, f"starter {number}")
    data = made_runs.version(session, f"directions {number}")
    return made_runs.made(session, model, data, state, losses=losses, total=40, name=f"run {number}", **more)


def test_a_finding_is_shown_with_evidence_and_the_way_out(database: Path) -> None:
    with db.transaction() as session:
        run = made(session)
    text = read("run-doctor", f"id={run.id}")
    for words in ("Diverged", "The loss began at 1.9 and is at 9", "Threshold", "Learning rate"):
        assert words in text
    assert f'href="/new-run?clone={run.id}&amp;fix=diverged"' in text
    assert 'data-announce="Diverged: run 1"' in text
    assert 'role="alert"' not in text


def test_of_a_healthy_run_it_says_how_many_rules_looked(database: Path) -> None:
    with db.transaction() as session:
        run = made(session, [2.0 - at / 20 for at in range(20)])
    text = read("run-doctor", f"id={run.id}")
    assert "nothing wrong found" in text
    assert "3 rules looked at 20 steps" in text
    assert "fix=" not in text


def test_before_there_are_curves_it_says_that_it_waits(database: Path) -> None:
    with db.transaction() as session:
        run = made(session, ())
        early = made(session, [2.0], number=2)
    assert read("run-doctor", f"id={run.id}") == ""
    assert "nothing wrong found" in read("run-doctor", f"id={early.id}")
    assert read("run-doctor", "id=99") == ""


def test_new_points_are_looked_at(database: Path) -> None:
    with db.transaction() as session:
        run = made(session, [2.0] * 10, State.SUCCEEDED)
    assert "nothing wrong found" in read("run-doctor", f"id={run.id}")
    with db.transaction() as session:
        again = session.get_one(Run, run.id)
        rows = [{"step": 11 + n, "time": 1e9 + n, "data": {"loss": 9.0}} for n in range(10)]
        metrics.append(session, run.id, rows)
        again.step = 20
    assert "Diverged" in read("run-doctor", f"id={run.id}")


def test_runs_table_and_compare_mark_the_run(database: Path) -> None:
    with db.transaction() as session:
        ill, well = made(session), made(session, [2.0 - at / 20 for at in range(20)], number=2)
    for name, query in (("runs", ""), ("compare-figures", f"runs={ill.id},{well.id}")):
        text = read(name, query)
        assert text.count("Found by the doctor") == 1
        assert "Diverged" in text


def test_a_clone_with_the_fix_differs_in_just_what_the_doctor_would_change(
    database: Path, client: TestClient
) -> None:
    with db.transaction() as session:
        run = made(session, parameters={"learning_rate": 0.5, "num_train_epochs": 2.0})
    with db.reading() as session:
        setup = beginning.current(session, {"clone": str(run.id), "fix": "diverged"})
        plain = beginning.current(session, {"clone": str(run.id)})
    assert plain.parameters["learning_rate"] == 0.5
    assert setup.parameters.get("learning_rate", 0.0) < 0.5
    assert setup.model_dump(exclude={"parameters", "fix"}) == plain.model_dump(exclude={"parameters", "fix"})
    query = f"clone={run.id}&fix=diverged"
    assert f"1 setting changed from run {run.id}" in read("new-run-settings", query)
    assert "what the doctor changed against “Diverged”" in read("new-run-head", query)
    kept = client.post("/api/new-run/drafts", json={"asked": {"clone": str(run.id), "fix": "diverged"}})
    assert kept.status_code == 200
    assert "what the doctor changed" in read("new-run-head", f"draft={kept.json()['draft']}")


def test_a_fix_that_is_no_longer_found_makes_a_plain_clone(database: Path) -> None:
    with db.transaction() as session:
        run = made(session)
    text = read("new-run-head", f"clone={run.id}&fix=overfitting")
    assert "Change what you want to compare" in text


def test_the_api_tells_findings_with_evidence_and_changes(client: TestClient) -> None:
    with db.transaction() as session:
        run = made(session, [2.0, 1.9, *["NaN"] * 10])
    told = client.get(f"/api/runs/{run.id}/doctor").json()
    (found,) = told["findings"]
    assert found["rule"] == "diverged"
    assert found["severity"] == "error"
    assert found["evidence"][0] | {"title": ""} == {
        "key": "loss",
        "title": "",
        "unit": "",
        "step": 3,
        "began": 2.0,
        "now": None,
        "limit": None,
    }
    assert found["changes"][0]["name"] == "learning_rate"
    assert found["changes"][0]["value"] < found["changes"][0]["before"]
    assert "Diverged" in told["looked"]
    assert client.get("/api/runs/99/doctor").status_code == 404


def test_the_command_line_says_it(database: Path) -> None:
    with db.transaction() as session:
        run = made(session)
    said = CliRunner().invoke(main, ["run", "doctor", str(run.id)])
    assert said.exit_code == 0
    assert "Diverged: The loss began at 1.9" in said.output
    assert "learning_rate: " in said.output


def test_a_threshold_set_in_settings_decides_and_is_shown_as_ones_own(client: TestClient) -> None:
    with db.transaction() as session:
        run = made(session)
    assert len(client.get(f"/api/runs/{run.id}/doctor").json()["findings"]) == 1
    put = client.put("/api/doctor/thresholds", json={"diverged_loss": 6, "rate_high_jump": 6})
    assert put.json()["diverged_loss"] == 6
    assert client.get(f"/api/runs/{run.id}/doctor").json()["findings"] == []
    text = read("settings-doctor")
    assert "set by you" in text
    assert "2 numbers set in this studio" in text
    back = client.put("/api/doctor/thresholds", json={"diverged_loss": None, "rate_high_jump": ""})
    assert back.json() == {name: each.value for name, each in doctor.shipped().items()}
    assert "set by you" not in read("settings-doctor")


@pytest.mark.parametrize("changed", [{"diverged_loss": 0}, {"diverged_loss": "much"}, {"no_such": 1}])
def test_a_threshold_that_cannot_be_is_refused(database: Path, changed: dict[str, Any]) -> None:
    with db.transaction() as session, pytest.raises(StudioError):
        doctor.set_thresholds(session, changed)


def test_words_of_people_are_escaped(database: Path) -> None:
    with db.transaction() as session:
        run = made(session)
        run.name = "<b>bold</b>"
    assert "<b>bold" not in read("run-doctor", f"id={run.id}")
