"""Use cases as the browser sees them: the list with its templates, one described, its form, and their API."""

import html
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app import api, described, errors, parts
from app.pages import dataset, home, use_case, use_cases
from studio import db, evaluations, events, graders, sample
from studio.evaluations import EvaluationConfig
from studio.graders.choice import GraderChoice, settings_of
from studio.models import EvaluationItem, Project, State, now
from tests import made_runs

PAGES = [page.PAGE for page in (use_case, use_cases, home, dataset)]  # their fragments are there now
JUDGED = {
    "criteria.1.name": "Kind",
    "criteria.1.grader": "judge",
    "criteria.1.settings:judge:rubric": "Is it <b>kind</b>?",
    "criteria.1.settings:judge:mode": "scale",
}


@pytest.fixture
def browser(database: Path) -> Iterator[TestClient]:
    app = FastAPI()
    errors.install(app)
    app.include_router(parts.router)
    for router in api.routers():
        app.include_router(router)
    with TestClient(app) as client:
        yield client


def part(browser: TestClient, name: str, query: str = "") -> str:
    answer = browser.get(f"/parts/{name}?{query}")
    assert answer.status_code == 200, answer.text
    return html.unescape(answer.text)


def typed(browser: TestClient, project: int | None = None, **fields: str) -> str:
    """The key of a draft with these fields; `_` stands for a dot in their names."""
    answer = browser.post("/api/use-case-drafts", json={"project": project, "fields": fields})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["draft"])


def save(browser: TestClient, key: str) -> Any:
    return browser.post(f"/api/use-case-drafts/{key}/save")


# ---- the list -----------------------------------------------------------------------------------------


def test_without_a_use_case_the_templates_and_ones_own_are_offered(browser: TestClient) -> None:
    text = part(browser, "use-cases")
    assert "No use case yet" in text
    assert text.count("primary") == 1
    assert 'href="/use-case"' in text
    for name, about in sample.templates():
        assert f'data-post="/api/templates/{name}"' in text
        assert about["name"] in text
    assert text.count("synthetic data</span>") == 3


def test_a_template_is_loaded_by_one_call_and_marked_as_synthetic_wherever_it_is_shown(
    browser: TestClient,
) -> None:
    answer = browser.post("/api/templates/engineering_questions")
    assert answer.status_code == 201, answer.text
    assert browser.post("/api/templates/engineering_questions").json() == answer.json()
    page, _, query = answer.json()["url"].partition("?")
    assert page == "/use-case"
    listed = part(browser, "use-cases")
    assert f'data-href="/use-case?{query}"' in listed
    assert "98 %" in listed
    shown = (
        part(browser, "use-case", query),
        part(browser, "use-case", f"{query}&edit=yes"),
        part(browser, "home"),
        part(browser, "dataset", "id=1"),
    )
    assert all("synthetic data</span>" in text for text in shown)
    assert listed.count("synthetic data</span>") == 4  # its row, and the templates


def test_what_is_no_template_is_not_found(browser: TestClient) -> None:
    assert browser.post("/api/templates/starter-model").status_code == 404
    assert {each["template"] for each in browser.get("/api/templates").json()} == {
        name for name, _ in sample.templates()
    }


# ---- one of them --------------------------------------------------------------------------------------


def test_a_described_use_case_leads_to_the_guide_and_to_all_that_is_judged_by_it(browser: TestClient) -> None:
    number = browser.post("/api/templates/medication_directions").json()["id"]
    text = part(browser, "use-case", f"id={number}")
    assert f'primary" href="/guide?project={number}"' in text
    assert text.count("primary") == 1
    for page in ("ladder", "prompts", "evaluate"):
        assert f'href="/{page}?project={number}"' in text
    assert "It can hurt someone" in text
    assert "Medication directions: held out · v1" in text
    assert "not measured" not in text


def test_a_criterion_that_nothing_measures_says_what_that_keeps_from_working(browser: TestClient) -> None:
    number = browser.post("/api/templates/engineering_questions").json()["id"]
    text = part(browser, "use-case", f"id={number}")
    assert text.count("not measured</span>") == 1
    assert "No judge is chosen for it." in text
    assert "left out of evaluations" in text


def test_what_was_measured_stands_beside_what_was_told(browser: TestClient) -> None:
    number = browser.post("/api/templates/medication_directions").json()["id"]
    assert "Measured: the best" not in part(browser, "use-case", f"id={number}")
    with db.transaction() as session:
        asked = {"contestants": [sample.STARTER_NAME], "criteria": [0], "project": number}
        asked["dataset"] = "Medication directions: held out"
        run = evaluations.launch(session, EvaluationConfig.model_validate(asked))
        for place in range(40):
            session.add(
                EvaluationItem(
                    run_id=run.id,
                    contestant=0,
                    number=place,
                    take=0,
                    answer="",
                    scores={run.graders[0]["name"]: float(place < 30)},
                    seconds=0.1,
                    tokens=9,
                )
            )
        run.state, run.ended = State.SUCCEEDED, now()
        evaluation, contestant = run.id, evaluations.names(run)[0]
    text = part(browser, "use-case", f"id={number}")
    assert "<b>75 %</b>" in text
    assert "59.8 % to 85.8 %" in text
    assert f'{contestant}, <a href="/evaluate?id={evaluation}">' in text


def test_its_datasets_are_taken_out_and_added_again(browser: TestClient) -> None:
    number = browser.post("/api/templates/content_quality").json()["id"]
    first = part(browser, "use-case", f"id={number}")
    assert first.count(">Take out<span") == 2
    assert browser.put("/api/datasets/1/use-case", json={"project": ""}).json() == {"id": 1, "project": None}
    assert 'value="1">Content quality: labelled</option>' in part(browser, "use-case", f"id={number}")
    assert browser.post(f"/api/use-cases/{number}/datasets", json={"dataset": 1}).status_code == 200
    assert part(browser, "use-case", f"id={number}").count(">Take out<span") == 2
    assert browser.post("/api/use-cases/99/datasets", json={"dataset": 1}).status_code == 404


def test_a_dataset_without_use_cases_is_not_asked_whose_it_is(browser: TestClient) -> None:
    sample_id = browser.post("/api/templates/content_quality").json()["id"]
    assert "/api/datasets/1/use-case" in part(browser, "dataset", "id=1")
    assert browser.delete(f"/api/use-cases/{sample_id}?detach=true").status_code == 204
    assert "/api/datasets/1/use-case" not in part(browser, "dataset", "id=1")


def test_its_runs_are_shown_and_others_are_not(browser: TestClient) -> None:
    with db.transaction() as session:
        project = Project(name="Directions")
        session.add(project)
        session.flush()
        base, data = made_runs.base(session), made_runs.version(session)
        made_runs.made(session, base, data, name="mine", project=project.id)
        made_runs.made(session, base, data, name="other")
        number = project.id
    text = part(browser, "use-case", f"id={number}")
    assert ">mine</a>" in text
    assert ">other</a>" not in text


def test_a_use_case_that_is_not_there_says_where_to_look(browser: TestClient) -> None:
    answer = browser.get("/parts/use-case?id=99")
    assert answer.status_code == 404
    assert "The Use cases page lists them." in answer.text


# ---- the form -----------------------------------------------------------------------------------------


def test_what_is_typed_is_kept_right_or_wrong_until_it_is_saved(browser: TestClient) -> None:
    key = typed(browser, problem="Too <i>slow</i>", **{"criteria.0.target": "lots"})
    text = part(browser, "use-case", f"draft={key}")
    assert "Too <i>slow</i></textarea>" in text
    assert "Too <i>slow" not in browser.get(f"/parts/use-case?draft={key}").text
    assert 'value="lots"' in text
    assert browser.get("/api/use-cases").json() == []


@pytest.mark.parametrize(
    ("fields", "field", "says"),
    [
        ({}, "name", "needs a name"),
        ({"name": "Notes", "criteria.2.target": "120"}, "criteria.2.target", "from 0 to 100"),
        ({"name": "Notes", "criteria.2.now": "many"}, "criteria.2.now", "from 0 to 100"),
        ({"name": "Notes", "criteria.1.grader": "rouge"}, "criteria.1.name", "says nothing yet"),
        (
            {"name": "Notes", "criteria.2.name": "x", "criteria.2.grader": "?"},
            "criteria.2.grader",
            "no grader",
        ),
        ({"name": "Notes", "held_out_id": "7"}, "held_out_id", "no dataset version 7"),
        ({"name": "Notes", "model_id": "7"}, "model_id", "none that answers"),
    ],
)
def test_a_refusal_names_the_input_as_the_form_counts_it(
    browser: TestClient, fields: dict[str, str], field: str, says: str
) -> None:
    key = typed(browser, **fields)
    refused = save(browser, key)
    assert refused.status_code == 422
    assert refused.json()["field"] == field
    assert says in refused.text
    form = part(browser, "use-case", f"draft={key}")
    assert f'id="problem-{field}"' in form
    assert f'name="{field}"' in form
    assert not fields or 'value="Notes"' in form


def test_a_saved_form_comes_back_as_it_was_typed(browser: TestClient) -> None:
    with db.transaction() as session:
        model = made_runs.base(session).id
        held_out = made_runs.version(session).id
    fields = {
        "name": "Notes",
        "problem": "Nobody reads them.",
        "users": "Editors",
        "stakes": "low",
        "phase": "1",
        "model_id": str(model),
        "held_out_id": str(held_out),
        "criteria.0.name": "Sorted right",
        "criteria.0.grader": "exact_match",
        "criteria.0.now": "41.5",
        "criteria.0.target": "90",
        **JUDGED,
        "criteria.1.settings:judge:model": str(model),
    }
    answer = save(browser, typed(browser, **fields))
    assert answer.status_code == 201, answer.text
    with db.reading() as session:
        project = session.get_one(Project, answer.json()["id"])
        assert {name: text for name, text in described.texts(project).items() if text} == fields
        assert [each.what for each in events.of(session, f"project:{project.id}")] == ["use case described"]
    text = part(browser, "use-case", answer.json()["url"].partition("?")[2])
    assert "41.5 %" in text
    assert "AI judge: starter" in text


def test_any_grader_may_measure_a_criterion_with_its_settings(browser: TestClient) -> None:
    said = {"name": "Notes", "criteria.0.name": "In one form", "criteria.0.grader": "contains"}
    key = typed(browser, **said)
    text = part(browser, "use-case", f"draft={key}")
    assert all(f'<option value="{grader.name}"' in text for grader in graders.all())
    assert 'name="criteria.0.settings:contains:phrases"' in text
    assert "criteria.0.settings:regex" not in text
    settings = {
        "criteria.0.settings:contains:phrases": "tablet\ncapsule",
        "criteria.0.settings:contains:whole_words": "true",
        "criteria.0.settings:regex:pattern": "(",  # left over from a grader that was chosen before
    }
    number = save(browser, typed(browser, **said, **settings)).json()["id"]
    kept = browser.get(f"/api/use-cases/{number}").json()["criteria"][0]["grader"]["parameters"]
    assert (kept["phrases"], kept["whole_words"], kept["need"]) == (["tablet", "capsule"], True, "all")
    again = part(browser, "use-case", f"id={number}&edit=yes")
    assert "tablet\ncapsule</textarea>" in again


def test_settings_that_cannot_be_are_refused_at_their_grader(browser: TestClient) -> None:
    said = {"name": "Notes", "criteria.1.name": "In one form", "criteria.1.grader": "regex"}
    key = typed(browser, **said, **{"criteria.1.settings:regex:pattern": "("})
    refused = save(browser, key)
    assert (refused.status_code, refused.json()["field"]) == (422, "criteria.1.grader")
    assert ">(</textarea>" in part(browser, "use-case", f"draft={key}")


def test_editing_keeps_settings_that_have_no_input_here(browser: TestClient) -> None:
    choice = {"grader": "numeric", "parameters": {"mark": "####", "absolute": 0.5}}
    said = {"name": "Sums", "criteria": [{"name": "Right", "grader": choice}]}
    number = browser.post("/api/use-cases", json=said).json()["id"]
    with db.reading() as session:
        fields = described.texts(session.get_one(Project, number))
    assert fields["criteria.0.settings:numeric:absolute"] == "0.5"
    changed = {"criteria.0.settings:numeric:absolute": "0.25", "criteria.0.target": "95"}
    assert save(browser, typed(browser, number, **fields | changed)).status_code == 201
    after = browser.get(f"/api/use-cases/{number}").json()["criteria"][0]
    assert (after["target"], after["grader"]["parameters"]["absolute"]) == (0.95, 0.25)
    assert after["grader"]["parameters"]["mark"] == "####"


def test_a_template_saved_as_it_is_keeps_its_graders(browser: TestClient) -> None:
    number = browser.post("/api/templates/medication_directions").json()["id"]
    before = browser.get(f"/api/use-cases/{number}").json()["criteria"]
    with db.reading() as session:
        fields = described.texts(session.get_one(Project, number))
    assert save(browser, typed(browser, number, **fields)).status_code == 201
    after = browser.get(f"/api/use-cases/{number}").json()["criteria"]
    assert [settings_of(each) for each in graders_of(after)] == [
        settings_of(each) for each in graders_of(before)
    ]


def graders_of(criteria: list[dict[str, Any]]) -> list[GraderChoice]:
    return [GraderChoice.model_validate(each["grader"]) for each in criteria]


def test_a_form_takes_no_field_that_it_does_not_have(browser: TestClient) -> None:
    for name in ("origin", "criteria.0.settings:judge:batch", "criteria.9.settings:judge:rubric"):
        assert browser.post("/api/use-case-drafts", json={"fields": {name: "x"}}).status_code == 422


# ---- over REST ----------------------------------------------------------------------------------------


def test_a_program_describes_changes_and_removes_a_use_case(browser: TestClient) -> None:
    said = {
        "name": "Notes",
        "criteria": [{"name": "Right", "grader": {"grader": "exact_match"}, "target": 0.9}],
    }
    made = browser.post("/api/use-cases", json=said)
    assert made.status_code == 201, made.text
    number = made.json()["id"]
    assert browser.put(f"/api/use-cases/{number}", json={"problem": "Unread"}).json()["name"] == "Notes"
    shown = browser.get(f"/api/use-cases/{number}").json()
    assert (shown["problem"], shown["synthetic"], shown["belongings"]) == ("Unread", False, {})
    assert shown["criteria"][0]["lacking"] == ""
    assert [each["id"] for each in browser.get("/api/use-cases").json()] == [number]
    refused = browser.post("/api/use-cases", json=said)
    assert (refused.status_code, refused.json()["field"]) == (422, "name")
    wrong = browser.put(f"/api/use-cases/{number}", json={"criteria": [{"name": "Right", "target": 2}]})
    assert (wrong.status_code, wrong.json()["field"]) == (422, "criteria.0.target")
    assert browser.delete(f"/api/use-cases/{number}").status_code == 204
    assert browser.get(f"/api/use-cases/{number}").status_code == 404


def test_what_belongs_to_a_use_case_stands_in_the_way_of_removing_it(browser: TestClient) -> None:
    number = browser.post("/api/templates/content_quality").json()["id"]
    refused = browser.delete(f"/api/use-cases/{number}")
    assert refused.status_code == 409
    assert "2 datasets of “Content quality”" in refused.json()["error"]
    assert browser.delete(f"/api/use-cases/{number}?detach=true").status_code == 204
    assert len(browser.get("/api/datasets").json()) == 2
