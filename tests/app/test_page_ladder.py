"""The ladder page and its API: figures with intervals, gains that are only called so where they are shown,
what the numbers say with one button, and the climb."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app import errors, parts
from app.api import climbs as climbs_api
from app.api import loop as loop_api
from app.pages import evaluate, ladder, run
from studio import climbs, db, drafts, prices
from studio.guide import questions
from studio.models import Kind, Model, Run
from studio.prices import Prices
from tests import climbing

assert {page.PAGE.path for page in (evaluate, ladder, run)} == {"/ladder", "/evaluate", "/run"}
SHARES = {"sft": 0.7, "dpo": 0.71, "grpo": 0.9}


def share(name: str) -> float:
    return next((value for key, value in SHARES.items() if key in name), 0.1)


@pytest.fixture
def browser(database: Path) -> Iterator[TestClient]:
    app = FastAPI()
    errors.install(app)
    for router in (parts.router, climbs_api.router, loop_api.router):
        app.include_router(router)
    with TestClient(app) as client:
        yield client


@pytest.fixture
def project(browser: TestClient) -> int:
    return climbing.use_case()


def read(browser: TestClient, address: str = "ladder") -> str:
    answer = browser.get(f"/parts/{address}")
    assert answer.status_code == 200, answer.text
    return answer.text


def measured(project: int, *techniques: str, **known: Any) -> tuple[int, list[Model]]:
    with db.transaction() as session:
        models = [climbing.trained(session, project, technique) for technique in techniques]
    return climbing.measured(project, models, share, **known), models


def test_without_a_use_case_it_says_where_to_begin(browser: TestClient) -> None:
    text = read(browser)
    assert "No use case yet" in text
    assert 'href="/use-cases"' in text


def test_before_anything_is_measured_the_phases_and_their_data_are_there(
    browser: TestClient, project: int
) -> None:
    text = read(browser, f"ladder?project={project}")
    assert text.count("not measured") >= 5
    assert "1,200 of 1,000" in text
    assert "Let it climb" in text
    assert text.count("primary") == 1


def test_a_gain_is_shown_with_its_interval_and_nothing_shown_is_said_too(
    browser: TestClient, project: int
) -> None:
    measured(project, "sft", "dpo", "grpo")
    text = read(browser, f"ladder?project={project}")
    assert "70 %" in text
    assert "+60 points" in text
    assert text.count("gained nothing shown") == 1
    assert "left: 85.0%" in text
    answer = browser.get(f"/api/ladders/{project}").json()
    assert [rung["verdict"] for rung in answer["rungs"]] == ["", "", "better", "open", "better"]


def test_phases_measured_apart_are_offered_to_be_measured_together(browser: TestClient, project: int) -> None:
    measured(project, "sft")
    measured(project, "dpo")
    assert "Not measured together" in read(browser, f"ladder?project={project}")
    answer = browser.post(f"/api/ladders/{project}/measure")
    assert answer.status_code == 201
    with db.reading() as session:
        assert len(climbing.waiting(session, Kind.EVALUATE).parameters["contestants"]) == 3


def test_cost_is_shown_once_a_price_is_known(browser: TestClient, project: int) -> None:
    measured(project, "sft")
    assert "Set a price for an hour" in read(browser, f"ladder?project={project}")
    with db.transaction() as session:
        prices.put(session, Prices(cpu_hour=2.5, currency="EUR"))
    text = read(browser, f"ladder?project={project}")
    assert "EUR" in text
    assert 'name="budget"' in text


def test_a_climb_is_started_watched_and_stopped(browser: TestClient, project: int) -> None:
    started = browser.post("/api/climbs", json={"project": project, "until_phase": "4", "hours": 0.5})
    assert started.status_code == 201
    assert started.json()["seconds"] == 1800
    climbs.look()
    answer = browser.get(f"/parts/ladder?project={project}")
    assert answer.headers["live-every"] == "1"
    assert "Measure the starting point" in answer.text
    assert "Let it climb" not in answer.text
    assert "climbing already" in browser.post("/api/climbs", json={"project": project}).json()["error"]
    number = started.json()["id"]
    assert browser.post(f"/api/climbs/{number}/stop").json()["state"] == "stopped"
    text = read(browser, f"ladder?project={project}")
    assert "Somebody stopped it." in text
    assert "Let it climb" in text
    assert [each["id"] for each in browser.get(f"/api/climbs?project={project}").json()] == [number]


def test_empty_limits_of_the_form_are_no_limits(browser: TestClient, project: int) -> None:
    answer = browser.post("/api/climbs", json={"project": project, "hours": "", "budget": ""}).json()
    assert (answer["seconds"], answer["budget"]) == (None, None)


def test_what_a_climb_may_not_do_is_refused_in_words(browser: TestClient, project: int) -> None:
    assert browser.post("/api/climbs", json={"project": 99}).status_code == 404
    answer = browser.post("/api/climbs", json={"project": project, "budget": 5})
    assert answer.status_code == 422
    assert "Money cannot be counted" in answer.json()["error"]


def test_where_nothing_can_be_measured_it_says_what_is_missing(browser: TestClient, project: int) -> None:
    with db.transaction() as session:
        climbing.project(session, project).criteria = []
    text = read(browser, f"ladder?project={project}")
    assert "first criterion" in text
    assert "Let it climb" not in text


def test_an_evaluation_says_what_follows_and_one_click_fills_the_form(
    browser: TestClient, project: int
) -> None:
    number, (sft,) = measured(project, "sft")
    text = read(browser, f"evaluate?id={number}")
    assert "What this says" in text
    assert "Learn from preferences next" in text
    assert "Rule L11" in text
    address = browser.post(f"/api/evaluations/{number}/next").json()["url"]
    assert address.startswith("/new-run?draft=")
    with db.reading() as session:
        draft = drafts.get(session, address.partition("=")[2])
    assert (draft["technique"], draft["model"], draft["project"]) == ("dpo", str(sft.id), project)
    assert draft["dataset"]


def test_the_runs_page_says_it_too(browser: TestClient, project: int) -> None:
    number, (sft,) = measured(project, "sft")
    text = read(browser, f"run-header?id={sft.run_id}")
    assert "Learn from preferences next" in text
    assert f"/evaluate?id={number}" in text


def test_reinforcement_is_set_up_with_the_criterion_as_its_reward(browser: TestClient, project: int) -> None:
    number, _ = measured(project, "dpo", samples=8)
    address = browser.post(f"/api/evaluations/{number}/next").json()["url"]
    with db.reading() as session:
        draft = drafts.get(session, address.partition("=")[2])
    assert draft["technique"] == "grpo"
    assert [each["grader"] for each in draft["graders"]] == ["exact_match"]


def test_more_questions_are_measured_at_one_click(browser: TestClient, project: int) -> None:
    with db.transaction() as session:
        models = [climbing.trained(session, project)]
    number = climbing.measured(project, models, lambda name: 0.9 if "sft" in name else 0.1)
    address = browser.post(f"/api/evaluations/{number}/next").json()["url"]
    with db.reading() as session:
        further = session.get_one(Run, int(address.partition("=")[2]))
        assert further.parameters["items"] == 196
        assert further.project_id == project
    seen = browser.get(f"/api/evaluations/{number}/says").json()
    assert (seen["rule"], seen["items"], seen["facts"]["asked"]) == ("L04", 196, 100)


def test_eight_tries_are_measured_at_one_click(browser: TestClient, project: int) -> None:
    number, _ = measured(project, "dpo")
    assert browser.get(f"/api/evaluations/{number}/says").json()["rule"] == "L12"
    address = browser.post(f"/api/evaluations/{number}/next").json()["url"]
    with db.reading() as session:
        assert session.get_one(Run, int(address.partition("=")[2])).parameters["samples"] == 8


def test_at_the_top_the_guide_is_asked_with_what_was_measured(browser: TestClient, project: int) -> None:
    number, _ = measured(project, "grpo")
    with db.transaction() as session:
        criteria = climbing.project(session, project).criteria
        climbing.project(session, project).criteria = [criteria[0] | {"target": 0.99}, *criteria[1:]]
    address = browser.post(f"/api/evaluations/{number}/next").json()["url"]
    with db.reading() as session:
        draft = drafts.get(session, address.partition("=")[2])
    answers = draft["answers"]
    assert draft["project"] == project
    questions.read_answers(answers)
    assert (answers["phase_done"], answers["metric_now"], answers["metric_target"]) == (3, 0.9, 0.99)


def test_an_evaluation_of_no_use_case_says_nothing(browser: TestClient, project: int) -> None:
    number, _ = measured(project, "sft")
    with db.transaction() as session:
        session.get_one(Run, number).project_id = None
    assert "What this says" not in read(browser, f"evaluate?id={number}")
    assert browser.post(f"/api/evaluations/{number}/next").status_code == 404


def test_a_name_somebody_wrote_is_text(browser: TestClient, project: int) -> None:
    with db.transaction() as session:
        climbing.project(session, project).name = "<b>mine</b>"
        climbing.trained(session, project, name="<i>sft</i>")
    text = read(browser, f"ladder?project={project}")
    assert "&lt;b&gt;mine" in text
    assert "<b>mine" not in text
