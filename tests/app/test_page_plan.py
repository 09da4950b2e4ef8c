"""The page of plans: steps in the person's numbers, ticks that stay, files, the day to come back."""

import html
import re
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app import errors, parts
from app.api import datasets, guide_draft
from app.api import plans as api
from app.pages import guide
from app.pages import plan as page
from studio import db, recommendations, sample
from studio.guide import document, plans
from studio.models import Dataset, DatasetVersion, Project

LABELS = {"main_gap": "task_accuracy", "phase_done": 1, "n_labelled": 320}


@pytest.fixture
def browser(database: Path) -> TestClient:
    app = FastAPI()
    errors.install(app)
    for router in (parts.router, guide_draft.router, datasets.router, api.router):
        app.include_router(router)
    return TestClient(app)


def advise(project: int | None = None, **answers: Any) -> int:
    with db.transaction() as session:
        kept = recommendations.save(session, answers)
        kept.project_id = project
        return kept.id


def read(browser: TestClient, **query: Any) -> str:
    answer = browser.get("/parts/plan", params={key.rstrip("_"): value for key, value in query.items()})
    assert answer.status_code == 200, answer.text
    return " ".join(answer.text.split())


def register(rows: int, shape: str = "chat", split: str = "", project: int | None = None) -> None:
    with db.transaction() as session:
        dataset = Dataset(name=f"{shape} {rows}", project_id=project)
        found = DatasetVersion(dataset=dataset, number=1, shape=shape, format="jsonl", rows=rows)
        found.sha256, found.folder, found.split = f"{shape}{rows}", f"datasets/{rows}", split
        session.add(found)


def test_without_anything_it_lists_the_plans(browser: TestClient) -> None:
    text = read(browser)
    for name, plan in plans.load().plans.items():
        assert f'href="/plan?for={name}"' in text
        assert plan.title in text


@pytest.mark.parametrize("technique", ["rag", "no_training", "collect_labels", "collect_preferences"])
def test_each_answer_that_is_no_training_has_a_page_of_its_own(browser: TestClient, technique: str) -> None:
    text = read(browser, for_=technique)
    assert text.count('role="checkbox"') >= 5
    assert "Come back" in text
    assert "template.csv" in text
    assert "Where the numbers come from" in text


def test_the_page_says_how_many_are_missing_and_by_when(browser: TestClient) -> None:
    text = read(browser, recommendation=advise(**LABELS))
    assert "<b>320</b> of 500 labelled examples" in text
    assert "180 missing at 60 a week: 3 weeks, on" in text


def test_without_advice_the_thresholds_are_those_set_in_this_studio(browser: TestClient) -> None:
    with db.transaction() as session:
        recommendations.set_thresholds(session, {"pairs_min": 2500})
    assert "of 2,500 preference pairs" in read(browser, for_="collect_preferences")


def test_a_use_case_counts_its_own_data(browser: TestClient) -> None:
    with db.transaction() as session:
        project = Project(name="Parcels")
        session.add(project)
        session.flush()
        number = project.id
    register(410, project=number)
    register(60, shape="instruction")
    assert "<b>410</b> of 500" in read(browser, recommendation=advise(number, **LABELS))
    assert "<b>470</b> of 500" in read(browser, recommendation=advise(**LABELS))


def test_the_pace_is_kept_and_moves_the_day(browser: TestClient) -> None:
    number = advise(**LABELS)
    kept = browser.post(f"/api/plans/labels/kept?recommendation={number}", json={"pace": 90})
    assert kept.status_code == 200
    assert "180 missing at 90 a week: 2 weeks" in read(browser, recommendation=number)
    refused = browser.post(f"/api/plans/labels/kept?recommendation={number}", json={"pace": 0})
    assert (refused.status_code, refused.json()["field"]) == (422, "pace")


def test_ticks_stay_and_belong_to_this_advice(browser: TestClient) -> None:
    number, other = advise(**LABELS), advise(**LABELS)
    tick = f"/api/plans/labels/kept?recommendation={number}"
    browser.post(tick, json={"step": "sample"})
    browser.post(tick, json={"pace": 90})
    text = read(browser, recommendation=number)
    assert "1 of 7 done" in text
    assert re.search(r'aria-checked="true" aria-label="Draw the inputs', text)
    assert "0 of 7 done" in read(browser, recommendation=other)
    browser.post(tick, json={"step": "sample", "done": False})
    assert "0 of 7 done" in read(browser, recommendation=number)
    assert browser.post(tick, json={"step": "paint"}).status_code == 404


def test_rows_that_arrive_move_the_bar_and_enough_of_them_leads_back(browser: TestClient) -> None:
    number = advise(**LABELS)
    register(410)
    text = read(browser, recommendation=number)
    assert "<b>410</b> of 500" in text
    assert "90 missing at 60 a week: 2 weeks" in text
    register(500, shape="instruction", split="held-out")
    assert "<b>410</b> of 500" in read(browser, recommendation=number)
    register(90, shape="instruction")
    text = read(browser, recommendation=number)
    assert "enough is there" in text
    body = re.search(r'data-key="again" data-post="/api/guide/drafts" data-body="([^"]+)"', text)
    assert body
    assert "&#34;n_labelled&#34;:500" in body.group(1)
    draft = browser.post(
        "/api/guide/drafts", json={"recommendation": number, "answers": {"n_labelled": 500}}
    ).json()["draft"]
    assert browser.post(f"/api/guide/drafts/{draft}/finish").status_code == 201


def test_a_use_case_lends_its_criteria_its_held_out_rows_and_its_data(browser: TestClient) -> None:
    project = sample.load()
    number = advise(project, main_gap="preference_alignment", phase_done=2, n_pairs=320)
    text = read(browser, recommendation=number)
    with db.reading() as session:
        first = session.get_one(Project, project).criteria[0]["name"]
    assert f"“{first}”" in text
    assert "“Medication directions: held out · v1” holds" in text
    body = browser.get(f"/api/plans/pairs/template.jsonl?recommendation={number}&prompts=3").text
    assert len(body.splitlines()) == 8
    assert "EXAMPLE" in body.splitlines()[4]
    assert "EXAMPLE" not in body.splitlines()[5]


def test_a_filled_in_file_belongs_to_the_use_case_and_leads_back_to_the_plan(browser: TestClient) -> None:
    with db.transaction() as session:
        ours, theirs = Project(name="Notes"), Project(name="Letters")
        session.add_all([ours, theirs])
        session.flush()
        project, other = ours.id, theirs.id
    number = advise(project, **LABELS)
    text = html.unescape(read(browser, recommendation=number))
    assert f'data-fields="{{"project":{project}}}"' in text.replace('": ', '":')
    assert f'data-then="/plan?recommendation={number}&added={{id}}"' in text
    rows = b"".join(b'{"prompt": "question %d", "completion": "yes"}\n' % n for n in range(60))
    to = {"file": "first.jsonl", "project": project}
    answer = browser.post("/api/datasets", params=to, content=rows)
    assert answer.status_code == 201, answer.text
    text = read(browser, recommendation=number, added=answer.json()["id"])
    assert "first · v1 is here" in text
    assert "60 rows" in text
    with db.reading() as session:
        assert session.get_one(Dataset, answer.json()["dataset_id"]).project_id == project
    refused = browser.post("/api/datasets", params=to | {"project": other}, content=rows)
    assert (refused.status_code, refused.json()["field"]) == (422, "file")
    assert "belongs to the use case “Notes”" in refused.json()["error"]
    assert browser.post("/api/datasets", params=to | {"project": 99}, content=rows).status_code == 404


def test_without_a_use_case_a_filled_in_file_leads_back_too(browser: TestClient) -> None:
    text = html.unescape(read(browser, for_="collect_labels"))
    assert 'data-then="/plan?for=labels&added={id}"' in text
    assert "it then belongs" not in text


def test_files_are_downloads_under_their_own_name(browser: TestClient) -> None:
    for ending in ("csv", "jsonl", "md"):
        answer = browser.get(f"/api/plans/collect_preferences/template.{ending}?sheet=thumbs")
        assert answer.headers["content-disposition"] == f'attachment; filename="thumbs.{ending}"'
        assert "completion" in answer.text
    assert browser.get("/api/plans/collect_labels/template.exe").status_code == 404
    assert browser.get("/api/plans/collect_labels/template.csv?sheet=paint").status_code == 404
    assert browser.get("/api/plans/paint/template.csv").status_code == 404


def test_the_day_is_a_calendar_entry_that_leads_back_here(browser: TestClient) -> None:
    number = advise(**LABELS)
    answer = browser.get(f"/api/plans/labels/come-back.ics?recommendation={number}")
    text = answer.text.replace("\r\n ", "")
    assert answer.headers["content-type"].startswith("text/calendar")
    assert f"UID:plan-{number}@tunesmith" in text
    assert f"/plan?recommendation={number}" in text
    day = browser.get(f"/api/plans/labels?recommendation={number}").json()["come_back"]["day"]
    assert f"DTSTART;VALUE=DATE:{day.replace('-', '')}" in text


def test_the_guide_leads_to_the_plan(browser: TestClient) -> None:
    assert guide.PAGE.path == "/guide"
    number = advise(main_gap="missing_or_changing_facts", phase_done=1)
    text = browser.get("/parts/guide", params={"recommendation": number}).text
    assert 'data-then="/plan?recommendation={id}"' in text
    decided = browser.post(f"/api/recommendations/{number}/decision", json={"decision": "accepted"})
    assert decided.json()["id"] == number
    assert set(guide.ELSEWHERE) == {
        name for name, technique in document.load().techniques.items() if not technique.trainable
    }


def test_advice_with_nothing_left_to_collect_says_so(browser: TestClient) -> None:
    number = advise(main_gap="cost_latency", phase_done=1, n_prompts=500)
    assert "Nothing to collect now" in read(browser, recommendation=number)
    assert browser.get(f"/api/plans/labels?recommendation={number}").status_code == 200


def test_what_is_not_there_is_told_in_words(browser: TestClient) -> None:
    assert "no recommendation 99" in browser.get("/parts/plan?recommendation=99").text
    assert "no plan “paint”" in browser.get("/parts/plan?for=paint").text


def test_the_page_is_found_under_the_guide() -> None:
    assert (page.PAGE.path, page.PAGE.under, page.PAGE.in_nav) == ("/plan", "/guide", False)
