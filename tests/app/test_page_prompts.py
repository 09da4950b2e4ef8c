"""The prompt lab's page: versions with their figures, a draft with its preview, failures with their kinds."""

import html
import json
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app import errors, parts
from app.api import failures as failures_api
from app.api import prompt_drafts
from app.api import prompts as prompts_api
from app.pages import prompts as page
from studio import db, prompts, sample, use_cases
from studio.datasets import library
from studio.graders.choice import GraderChoice
from studio.models import Answer, EvaluationItem, Project, Prompt
from studio.prompting import Example, Prompting
from studio.prompts import measuring
from studio.prompts.measuring import Measurement
from studio.use_cases import Criterion
from tests.studio.test_prompts import LABELLED, answered


@pytest.fixture
def browser(database: Path) -> TestClient:
    app = FastAPI()
    errors.install(app)
    for router in (parts.router, prompt_drafts.router, prompts_api.router, failures_api.router):
        app.include_router(router)
    return TestClient(app)


@pytest.fixture
def project(browser: TestClient) -> int:
    return sample.load()


def shown(browser: TestClient, name: str = "prompts", **query: Any) -> str:
    answer = browser.get(f"/parts/{name}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.text


def version(project: int, system: str = "Answer in JSON.", **more: Any) -> int:
    with db.transaction() as session:
        return prompts.create(session, project, Prompting(system=system), **more).id


def measured(project: int, version: int, rights: list[list[int]]) -> int:
    with db.transaction() as session:
        wanted = Measurement(project=project, prompts=[version], models=[sample.STARTER_NAME])
        run = measuring.launch(session, wanted)
        answered(session, run, rights)
        return run.id


def test_the_page_stands_beside_evaluate() -> None:
    assert (page.PAGE.path, page.PAGE.title, page.PAGE.in_nav) == ("/prompts", "Prompt lab", True)


def test_without_a_use_case_it_offers_to_describe_one(browser: TestClient) -> None:
    text = shown(browser)
    assert "No use case yet" in text
    assert "/use-case" in text
    assert "/api/sample" in text


def test_without_a_version_it_says_what_one_is(browser: TestClient, project: int) -> None:
    text = shown(browser)
    assert "No version yet" in text
    assert f"/prompts?project={project}&amp;tab=edit" in text


def test_a_version_that_was_never_measured_says_so(browser: TestClient, project: int) -> None:
    version(project, name="<i>short</i>")
    text = shown(browser, project=project)
    assert "never measured" in text
    assert "v1 · &lt;i&gt;short&lt;/i&gt;" in text
    assert "An instruction was added." in text


def test_figures_stand_beside_the_plain_models_with_a_verdict(browser: TestClient, project: int) -> None:
    number = version(project)
    run = measured(project, number, [[0] * 40, [1] * 30 + [0] * 10])
    text = shown(browser, project=project)
    assert "75 %" in text
    assert "+75 points" in text
    assert ">better</span>" in text
    assert "is what the others are compared with" in text
    assert f"/prompts?project={project}&amp;tab=failures&amp;run={run}&amp;contestant=1" in text
    assert "Measure</button>" in text


def test_two_versions_are_compared_in_words_and_figures(browser: TestClient, project: int) -> None:
    first = version(project, "Answer in JSON.")
    second = version(project, "Answer in JSON alone.", parent_id=first)
    text = shown(browser, project=project)
    assert "The instruction was reworded." in text
    assert '<ins class="word">' in text
    assert "have not answered the same questions yet" in text
    with db.transaction() as session:
        wanted = Measurement(project=project, prompts=[first, second], models=[sample.STARTER_NAME])
        answered(session, measuring.launch(session, wanted), [[0] * 40, [0] * 40, [1] * 40])
    text = shown(browser, project=project, was=first, **{"is": second})
    assert "v2 differs by <b>+100 points</b>" in text
    assert "40 gained, 0 lost" in text


def test_an_evaluation_in_progress_is_shown(browser: TestClient, project: int) -> None:
    number = version(project)
    answer = browser.post(
        "/api/prompts/measure", json={"project": project, "prompts": str(number), "models": "1"}
    )
    assert answer.status_code == 201, answer.text
    assert answer.json()["url"] == "/evaluate?id=1"
    assert "Prompts: v1" in shown(browser, project=project)
    assert browser.get("/parts/prompts", params={"project": project}).headers["live-every"] == "1"


def test_a_use_case_that_nothing_measures_says_what_is_missing(browser: TestClient, project: int) -> None:
    version(project)
    with db.transaction() as session:
        session.get_one(Project, project).criteria = []
    assert "Nothing measures this use case yet" in shown(browser, project=project)


# ---- a draft ---------------------------------------------------------------------------------------------


def keep(browser: TestClient, project: int, draft: str = "", **given: Any) -> str:
    answer = browser.post("/api/prompts/drafts", json={"project": project, "draft": draft, **given})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["draft"])


def test_a_draft_survives_a_reload_and_becomes_the_next_version(browser: TestClient, project: int) -> None:
    first = version(project)
    key = keep(browser, project, system="Be exact.", name="Exact", parent=first)
    text = shown(browser, project=project, tab="edit", draft=key)
    assert "Be exact.</textarea>" in text
    assert "Save as v2" in text
    assert "Begun as v1" in text
    saved = browser.post(f"/api/prompts/drafts/{key}/save").json()
    assert (saved["number"], saved["url"]) == (2, f"/prompts?project={project}")
    with db.reading() as session:
        made = session.get_one(Prompt, saved["id"])
        assert (made.name, made.parent_id, made.prompting["system"]) == ("Exact", first, "Be exact.")
    assert browser.post(f"/api/prompts/drafts/{key}/save").status_code == 404


def test_a_new_draft_begins_as_the_version_in_use_or_from_scratch(browser: TestClient, project: int) -> None:
    version(project, "First.")
    with db.transaction() as session:
        how = Prompting(system="Second.", examples=[Example(input="one", output="1")])
        prompts.create(session, project, how)
    text = shown(browser, project=project, tab="edit")
    assert "Second.</textarea>" in text
    assert "one</textarea>" in text
    assert "First.</textarea>" in shown(browser, project=project, tab="edit", **{"from": 1})
    assert "First." not in shown(browser, project=project, tab="edit", **{"from": 0})


def test_the_first_draft_of_a_template_begins_with_its_instruction(browser: TestClient) -> None:
    project = sample.load("content_quality")
    said = "Answer with that one word.</textarea>"
    assert said in shown(browser, project=project, tab="edit")
    assert said not in shown(browser, project=project, tab="edit", **{"from": 0})
    with db.transaction() as session:
        own = Project(name="Own")
        session.add(own)
        session.flush()
        number = own.id
    assert "None: the rows’ own stays" in shown(browser, project=number, tab="edit")
    version(project, "Sort it.")
    assert said not in shown(browser, project=project, tab="edit")


def test_the_preview_shows_the_messages_of_a_held_out_row(browser: TestClient, project: int) -> None:
    shots = [{"key": "a", "input": "<b>one</b>", "output": "{}"}]
    key = keep(browser, project, system="Be exact.", template="{slice}: {input}", examples=shots)
    text = shown(browser, "prompt-preview", project=project, draft=key, row=1)
    assert "Example 1 has no {slice}" in text
    shots[0]["fields"] = {"slice": "easy"}  # type: ignore[assignment]
    keep(browser, project, key, system="Be exact.", template="{slice}: {input}", examples=shots)
    text = shown(browser, "prompt-preview", project=project, draft=key, row=1)
    assert "easy: &lt;b&gt;one&lt;/b&gt;" in text
    assert "plain: tid, take 5 ml via tube" in text
    assert text.index("Be exact.") < text.index("easy:") < text.index("plain:")
    assert "The wanted answer" in text


@pytest.mark.parametrize(
    ("given", "said", "field"),
    [
        ({"template": "Do it"}, "leaves the question out", "template"),
        ({"template": "{input} {dose}"}, "The template names {dose}", "template"),
        ({"template": "{input} {reference_answer}"}, "is the wanted answer", "template"),
        ({"examples": [{"key": "a", "input": " "}]}, "Example 1 has no question", "examples.0"),
        ({"examples": [{"key": "a", "output": "x"}]}, "Example 1 has no question", "examples.0"),
    ],
)
def test_the_preview_names_what_is_wrong(
    browser: TestClient, project: int, given: dict[str, Any], said: str, field: str
) -> None:
    text = shown(browser, "prompt-preview", project=project, draft=keep(browser, project, **given))
    assert said in text
    assert f'data-problem="{field}"' in text


def test_a_draft_is_tried_on_one_row_and_its_answer_stands_beside_the_wanted_one(
    browser: TestClient, project: int
) -> None:
    shots = [{"key": "a", "input": "one", "output": "{}"}]
    key = keep(browser, project, system="Be exact.", template="Do: {input}", examples=shots)
    assert 'id="try-prompt"' in shown(browser, "prompt-preview", project=project, draft=key)
    answer = browser.post(f"/api/prompts/drafts/{key}/try", json={"model": 1, "row": 3})
    assert answer.status_code == 201, answer.text
    tried = answer.json()["tried"]
    assert "Waiting:" in shown(browser, "prompt-tried", tried=tried)
    with db.transaction() as session:
        given = session.query(Answer).one()
        assert [turn["role"] for turn in given.messages] == ["system", "user", "assistant", "user"]
        held_out = library.find_version(session, "Medication directions: held out")
        assert given.messages[-1]["content"] == "Do: Use 1 patch qid for four days."
        given.state, given.text = "done", library.rows_of(held_out, 2, 1)[0]["reference_answer"]
        wanted = given.text
    text = shown(browser, "prompt-tried", tried=tried)
    assert html.unescape(text).count(wanted) == 2  # what it said, and what was wanted
    assert "Tunesmith starter, row 3" in text
    assert "<dt>The JSON equals what the pharmacy would record</dt><dd>1</dd>" in text


def test_an_answer_that_falls_short_scores_less_and_what_only_a_worker_scores_says_so(
    browser: TestClient,
) -> None:
    project = sample.load("engineering_questions")
    with db.transaction() as session:
        ours = session.get_one(Project, project)
        given = use_cases.criteria(ours)
        given[0] = Criterion(name="Kind", grader=GraderChoice(grader="judge", parameters={"model": "1"}))
        given[1] = Criterion(name="Exact", grader=GraderChoice(grader="exact_match"))
        ours.criteria = use_cases.kept(given[:2])
    key = keep(browser, project)
    tried = browser.post(f"/api/prompts/drafts/{key}/try", json={"model": 1}).json()["tried"]
    with db.transaction() as session:
        answer = session.query(Answer).one()
        answer.state, answer.text = "done", "<b>no</b>"
    text = shown(browser, "prompt-tried", tried=tried)
    assert "only a worker loads" in text
    assert "<dt>Exact</dt><dd>0</dd>" in text
    assert "&lt;b&gt;no" in text


def test_a_draft_that_cannot_be_asked_is_not_tried(browser: TestClient, project: int) -> None:
    key = keep(browser, project, template="Do it")
    refused = browser.post(f"/api/prompts/drafts/{key}/try", json={"model": 1})
    assert (refused.status_code, refused.json()["field"]) == (422, "template")
    assert "disabled>Ask" in shown(browser, "prompt-preview", project=project, draft=key)
    assert browser.post("/api/prompts/drafts/prompt-0000/try", json={"model": 1}).status_code == 404
    key = keep(browser, project)
    assert browser.post(f"/api/prompts/drafts/{key}/try", json={"model": 99}).status_code == 404


def test_buttons_add_move_and_remove_examples(browser: TestClient, project: int) -> None:
    shots = [{"key": key, "input": key, "output": key} for key in ("a", "b")]
    key = keep(browser, project, examples=shots, up="b", add=True)
    text = shown(browser, project=project, tab="edit", draft=key)
    assert text.index('data-shot="b"') < text.index('data-shot="a"')
    assert text.count("data-shot=") == 3
    keep(browser, project, key, examples=shots, remove="a")
    assert 'data-shot="a"' not in shown(browser, project=project, tab="edit", draft=key)


def test_examples_are_taken_from_training_rows_and_held_out_ones_are_refused(
    browser: TestClient, project: int
) -> None:
    text = shown(browser, "prompt-rows", project=project, find="eye")
    assert LABELLED in text
    assert "1 gtt to both eyes 4 times a day" in text
    versions = {each["name"]: each["version"] for each in sample_versions()}
    taken = {"version": versions[LABELLED], "count": 4, "way": "diverse", "seed": 2}
    key = keep(browser, project, take=taken)
    assert shown(browser, project=project, tab="edit", draft=key).count("data-shot=") == 4
    row = {"version": versions[LABELLED], "row": 0}
    key = keep(browser, project, take=row)
    assert "1 gtt to both eyes 4 times a day</textarea>" in shown(
        browser, project=project, tab="edit", draft=key
    )
    wrong = {"version": versions["Medication directions: held out"], "row": 0}
    refused = browser.post("/api/prompts/drafts", json={"project": project, "take": wrong})
    assert refused.status_code == 409
    assert "is held out" in refused.json()["error"]


def sample_versions() -> list[dict[str, Any]]:
    with db.reading() as session:
        return [{"name": each.name, "version": each.versions[0].id} for each in library.listed(session)]


# ---- failures --------------------------------------------------------------------------------------------


def test_failures_are_listed_and_tagged_and_counted(browser: TestClient, project: int) -> None:
    assert "Nothing measured yet" in shown(browser, project=project, tab="failures")
    run = measured(project, version(project), [[0, 0, 0, 1], [1, 0, 1, 1]])
    text = shown(browser, project=project, tab="failures")
    assert "Row 2" in text
    assert "name the ways in which they go wrong" in text
    kind = browser.post("/api/failures/kinds", json={"project": project, "name": "<u>wrong unit"}).json()[
        "id"
    ]
    mark = {"run": run, "contestant": 0, "number": 0, "kind": kind, "on": True}
    assert browser.post("/api/failures/marks", json=mark).json()["kinds"] == [kind]
    text = shown(browser, project=project, tab="failures", run=run, contestant=0)
    assert text.count('aria-pressed="true"') == 1
    assert text.count('aria-pressed="false"') == 2
    assert "&lt;u&gt;wrong unit" in text
    assert "<kbd>1</kbd>" in text
    counted = shown(browser, "failure-counts", project=project, run=run)
    assert "33.3 % of its failures" in counted
    left = shown(browser, project=project, tab="failures", run=run, contestant=0, kind="unnamed")
    assert "1 to 2 of 2 below full marks" in left


def test_kinds_are_renamed_merged_and_removed_over_the_api(browser: TestClient, project: int) -> None:
    unit, route = (
        browser.post("/api/failures/kinds", json={"project": project, "name": name}).json()["id"]
        for name in ("unit", "route")
    )
    browser.patch(f"/api/failures/kinds/{unit}", json={"name": "wrong unit"}).raise_for_status()
    again = browser.patch(f"/api/failures/kinds/{unit}", json={"name": "Route"})
    assert (again.status_code, again.json()["field"]) == (422, "name")
    assert browser.post(f"/api/failures/kinds/{route}/merge", json={"into": unit}).json()["failures"] == 0
    assert [each["name"] for each in browser.get(f"/api/failures/kinds?project={project}").json()] == [
        "wrong unit"
    ]
    assert browser.delete(f"/api/failures/kinds/{unit}").status_code == 204


def test_failures_are_exported_in_both_forms_and_no_spreadsheet_runs_them(
    browser: TestClient, project: int
) -> None:
    run = measured(project, version(project), [[0, 1], [0, 0]])
    with db.transaction() as session:
        item = session.get_one(EvaluationItem, (run, 1, 0, 0))
        item.answer = "=HYPERLINK(1)"
    query = {"run": run, "contestant": 1}
    lines = browser.get("/api/failures/export", params=query | {"form": "jsonl"}).text.splitlines()
    assert [json.loads(line)["row"] for line in lines] == [1, 2]
    assert json.loads(lines[0])["answer"] == "=HYPERLINK(1)"
    table = browser.get("/api/failures/export", params=query)
    assert table.headers["content-type"].startswith("text/csv")
    assert table.text.splitlines()[0].startswith("evaluation,contestant,row,prompt")
    assert ",'=HYPERLINK(1)," in table.text


# ---- over the API ----------------------------------------------------------------------------------------


def test_the_api_tells_versions_with_what_was_measured(browser: TestClient, project: int) -> None:
    how = {"system": "Answer in JSON.", "examples": [{"input": "a", "output": "b"}]}
    made = browser.post("/api/prompts", json={"project": project, "prompting": how}).json()
    assert (made["number"], made["title"]) == (1, "v1")
    bare = browser.post("/api/prompts", json={"project": project, "prompting": {"template": "x"}})
    assert (bare.status_code, bare.json()["field"]) == (422, "template")
    measured(project, made["id"], [[0] * 40, [1] * 40])
    (told,) = browser.get(f"/api/prompts?project={project}").json()
    assert told["measured"][0]["differences"]["exact_match"]["verdict"] == "better"
    second = browser.post("/api/prompts", json={"project": project, "prompting": {"system": "No."}}).json()
    differ = browser.get(f"/api/prompts/{second['id']}/differences?before={made['id']}").json()
    assert differ["changes"] == ["The instruction was reworded.", "One example was taken out."]
    assert differ["evaluation"] is None
    assert browser.delete(f"/api/prompts/{made['id']}").status_code == 409
    assert browser.delete(f"/api/prompts/{second['id']}").status_code == 204


def test_the_api_previews_a_row_and_finds_examples(browser: TestClient, project: int) -> None:
    asked = {"project": project, "prompting": {"system": "Be exact."}, "row": 0}
    told = browser.post("/api/prompts/preview", json=asked).json()
    assert [turn["role"] for turn in told["messages"]] == ["system", "user"]
    assert told["messages"][0]["content"] == "Be exact."
    versions = {each["name"]: each["version"] for each in sample_versions()}
    wanted = {"project": project, "version": versions[LABELLED], "count": 2}
    assert len(browser.post("/api/prompts/examples", json=wanted).json()) == 2


def test_a_use_case_asks_in_the_version_that_was_chosen(browser: TestClient, project: int) -> None:
    number = version(project)
    browser.post("/api/prompts/choose", json={"project": project, "prompt": number}).raise_for_status()
    assert "in use" in shown(browser, project=project)
    browser.patch(f"/api/prompts/{number}", json={"name": "Plainer"}).raise_for_status()
    assert "v1 · Plainer" in shown(browser, project=project)
