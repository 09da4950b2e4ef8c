"""A trace of the memory, asked for from the form of a new run and from the command line."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app import cli, errors, parts
from app.api import new_run as api
from app.pages import new_run
from app.setup import beginning, tracing
from app.setup.plan import Plan
from studio import db, sample
from studio.datasets import library

PAGE = new_run.PAGE  # its fragments are there now
PAIRS = "Medication directions: preference pairs"


@pytest.fixture
def browser(database: Path) -> Iterator[TestClient]:
    """The form in a studio with the sample, whose model's files are here."""
    sample.load()
    app = FastAPI()
    errors.install(app)
    app.include_router(parts.router)
    app.include_router(api.router)
    with TestClient(app) as client:
        yield client


def draft(browser: TestClient, technique: str = "sft", **edits: str) -> str:
    body = {"asked": {"technique": technique, "model": "1"}, "set": edits}
    return str(browser.post("/api/new-run/drafts", json=body).json()["draft"])


def edit(browser: TestClient, key: str, **edits: str) -> None:
    assert browser.post("/api/new-run/drafts", json={"draft": key, "set": edits}).status_code == 200


def trace(browser: TestClient, key: str) -> Any:
    return browser.post("/api/new-run/trace", json={"draft": key})


def summary(browser: TestClient, key: str) -> str:
    return browser.get("/parts/new-run-summary", params={"draft": key}).text


def test_a_trace_stands_beside_the_formula_until_something_is_changed(browser: TestClient) -> None:
    key = draft(browser)
    assert "data-trace" in summary(browser, key)
    found = trace(browser, key).json()
    assert found["total"] == pytest.approx(found["closed_form"], rel=0.05)
    assert found["seconds"] > 0
    for _ in range(2):  # a reload loses nothing
        text = summary(browser, key)
        assert " traced, when the loss is computed" in text
        assert "data-trace" not in text
    edit(browser, key, name="another name")
    assert " traced, " in summary(browser, key)
    edit(browser, key, **{"parameters:max_length": "64"})
    text = summary(browser, key)
    assert " traced, " not in text
    assert "data-trace" in text


def test_only_what_can_be_had_is_offered(browser: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "data-trace" not in summary(browser, draft(browser, "embedding"))
    key = draft(browser)
    monkeypatch.setattr(tracing, "is_installed", lambda: False)
    assert "data-trace" not in summary(browser, key)
    refused = trace(browser, key)
    assert refused.status_code == 422
    assert "not installed here" in refused.json()["error"]


def test_a_trace_that_cannot_be_says_why_in_words(
    browser: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    config = json.loads((sample.STARTER / "config.json").read_text())
    (bare / "config.json").write_text(json.dumps(config | {"model_type": "no such type"}))
    refused = trace(browser, draft(browser, model=str(bare)))
    assert refused.status_code == 422
    assert refused.json()["error"] == "The trace failed."
    assert re.match(r"The trainer said: \w+Error: .*no such type", refused.json()["hint"])
    refused = trace(browser, draft(browser, model="someone/elsewhere"))
    assert "needs the model's config.json" in refused.json()["error"]
    with tracing.ONE_AT_A_TIME:
        refused = trace(browser, draft(browser))
    assert refused.status_code == 409
    assert "Another trace is being made" in refused.json()["error"]
    monkeypatch.setattr(tracing, "LONGEST", 0.01)
    assert "given up" in trace(browser, draft(browser)).json()["error"]
    assert not tracing.ONE_AT_A_TIME.locked()


def test_the_command_line_traces_runs_and_configurations(browser: TestClient, tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    config = {"model": sample.STARTER_NAME, "dataset": PAIRS, "technique": "dpo"}
    file.write_text(json.dumps(config))
    made = CliRunner().invoke(cli.main, ["run", "trace", str(file), "--json"])
    assert made.exit_code == 0, made.output
    found = json.loads(made.stdout)
    assert found["total"] == pytest.approx(found["closed_form"], rel=0.05)
    key = draft(browser, "dpo", dataset=dataset(PAIRS))
    started = browser.post("/api/new-run/start", json={"draft": key}).json()["url"].rpartition("=")[2]
    said = CliRunner().invoke(cli.main, ["run", "trace", started])
    assert "The formula says" in said.stdout
    file.write_text(json.dumps(config | {"parameters": {"learn": 1}}))
    refused = CliRunner().invoke(cli.main, ["run", "trace", str(file)])
    assert refused.exit_code == 2
    assert "no setting “learn”" in refused.output


def dataset(name: str) -> str:
    with db.reading() as session:
        return str(library.find_version(session, name).id)


def test_a_trace_is_asked_for_with_the_length_of_the_prompts(browser: TestClient) -> None:
    key = draft(browser, "grpo", dataset=dataset("Medication directions: prompts"))
    with db.reading() as session:
        asked = tracing.asked(Plan(session, beginning.current(session, {"draft": key})))
    assert 64 < asked.prompt < asked.longest < 300
    assert "Prompts are taken to be" not in summary(browser, key)
