"""The guide's page: steps, drafts, the answer as it forms, and the card."""

import re
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app import errors, parts
from app.api import guide, guide_draft, thresholds
from app.pages import settings
from app.pages.guide import PAGE
from studio import db, interview, known, recommendations, sample
from studio.guide import questions
from studio.guide.document import load
from studio.models import Dataset, DatasetVersion, Project, Recommendation, Run

SFT = {"main_gap": "task_accuracy", "phase_done": "1", "n_labelled": "800"}


@pytest.fixture
def browser(database: Path) -> TestClient:
    app = FastAPI()
    errors.install(app)
    for router in (parts.router, guide.router, guide_draft.router, thresholds.router):
        app.include_router(router)
    return TestClient(app)


def keep(browser: TestClient, draft: str = "", **answers: Any) -> str:
    return str(browser.post("/api/guide/drafts", json={"draft": draft, "answers": answers}).json()["draft"])


def finish(browser: TestClient, **answers: Any) -> int:
    return int(browser.post(f"/api/guide/drafts/{keep(browser, **answers)}/finish").json()["id"])


def shown(browser: TestClient, name: str, **query: Any) -> str:
    answer = browser.get(f"/parts/{name}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.text


def register(name: str, shape: str, rows: int, split: str = "", **statistics: Any) -> None:
    with db.transaction() as session:
        session.add(
            DatasetVersion(
                dataset=Dataset(name=name),
                number=1,
                shape=shape,
                format="jsonl",
                rows=rows,
                sha256=name,
                folder=f"datasets/{name}",
                split=split,
                report={"statistics": statistics},
            )
        )


def test_every_question_of_a_step_has_help_an_example_and_i_dont_know(browser: TestClient) -> None:
    for number, step in enumerate(questions.list_steps(), 1):
        text = shown(browser, "guide", step=number)
        assert f"{number} of 8" in text
        assert text.count("I don&#39;t know") + text.count("I don't know") >= len(step.fields)
        assert text.count('class="for-example"') == len(step.fields)


def test_answers_are_kept_and_shown_again(browser: TestClient) -> None:
    draft = keep(browser, main_gap="reasoning")
    keep(browser, draft, metric_now="0.4", metric_target=None)
    assert 'value="reasoning" checked' in shown(browser, "guide", draft=draft, step=2)
    third = shown(browser, "guide", draft=draft, step=3)
    assert 'value="0.4"' in third
    assert 'name="unknown" value="metric_target" checked' in third


def test_a_wrong_answer_is_refused_at_its_field_and_nothing_is_kept(browser: TestClient) -> None:
    draft = keep(browser, metric_now="0.4")
    refused = browser.post("/api/guide/drafts", json={"draft": draft, "answers": {"metric_now": "7"}})
    assert refused.status_code == 422
    assert refused.json()["field"] == "metric_now"
    assert "0 to 1" in refused.json()["hint"]
    assert 'value="0.4"' in shown(browser, "guide", draft=draft, step=3)


def test_counts_come_from_registered_datasets_and_say_so(browser: TestClient) -> None:
    register("notes", "chat", 320)
    register("thumbs", "labelled", 10, labels={"True": 7, "False": 3})
    register("kept apart", "chat", 99, split="held_out")
    text = shown(browser, "guide", step=4)
    assert 'name="n_labelled"' in text
    assert 'value="320"' in text
    assert "Counted from notes · v1" in text
    assert 'value="7"' in text
    with db.reading() as session:
        counts = known.of(session)
    assert {name: count.value for name, count in counts.items()} == {
        "n_labelled": 320,
        "n_binary_pos": 7,
        "n_binary_neg": 3,
    }


def test_rows_that_a_run_is_measured_on_do_not_count(browser: TestClient) -> None:
    register("test set", "prompt", 600)
    with db.transaction() as session:
        session.add(Run(name="r", technique="sft", held_out_id=1))
    with db.reading() as session:
        assert known.of(session) == {}


def test_the_side_panel_follows_the_answers(browser: TestClient) -> None:
    assert "As you answer" in shown(browser, "guide-side")
    draft = keep(browser, **SFT)
    assert "SFT" in shown(browser, "guide-side", draft=draft)
    keep(browser, draft, phase_done="0")
    assert "Prompt engineering" in shown(browser, "guide-side", draft=draft)


def test_the_side_panel_lists_what_each_answer_changed_the_newest_first(browser: TestClient) -> None:
    draft = keep(browser, phase_done="1")
    keep(browser, draft, main_gap="task_accuracy")
    keep(browser, draft, n_labelled="800")
    keep(browser, draft, stakes="low")
    text = shown(browser, "guide-side", draft=draft)
    line = r'You said: .*? <b>(.*?)</b></span> <span class="(\w+)">(?:<span.*?</span>)?(.*?)<'
    said = re.findall(line, text)
    assert said == [
        ("Little", "muted", "no change"),
        ("800", "outcome", "SFT instead of Collecting labels"),
        ("It gets the task wrong", "muted", "no change"),
        ("Prompt engineering", "outcome", "Collecting labels"),
    ]
    assert 'data-announce="What happens when it is wrong? Little: no change. The answer so far: SFT"' in text


def test_an_answer_that_is_given_again_moves_to_the_top_of_what_changed(browser: TestClient) -> None:
    draft = keep(browser, phase_done="1", main_gap="task_accuracy", n_labelled="800")
    keep(browser, draft, main_gap="preference_alignment", n_labelled="800")
    with db.reading() as session:
        said = interview.get(session, draft)
        changes = interview.changes(said, load())
    assert said.order == ["phase_done", "n_labelled", "main_gap"]
    assert [change.field for change in changes] == ["main_gap", "n_labelled", "phase_done"]
    assert [(change.before, change.technique) for change in changes][-1] == ("", "collect_labels")


def test_what_was_counted_is_told_as_changed_only_where_a_person_says_otherwise(browser: TestClient) -> None:
    register("notes", "chat", 320)
    draft = keep(browser, phase_done="1", main_gap="task_accuracy", n_labelled="320", n_pairs="0")
    assert "Labelled examples" not in shown(browser, "guide-side", draft=draft)
    keep(browser, draft, n_labelled=None)
    text = shown(browser, "guide-side", draft=draft)
    assert "Labelled examples <b>I don&#39;t know</b>" in text
    assert "Collecting labels instead of SFT" in text
    step = shown(browser, "guide", draft=draft, step=4)
    assert "Counted from notes · v1: 320." in step
    assert 'name="unknown" value="n_labelled" checked' in step


def test_the_card_says_what_would_change_it_and_which_kin_fit_when(browser: TestClient) -> None:
    number = finish(browser, phase_done="2", main_gap="preference_alignment", n_pairs="1500", n_prompts="9")
    text = shown(browser, "guide", recommendation=number)
    assert "What would change this answer" in text
    assert "(you said tone, style or safety) it would be" in text
    assert 'href="/technique?name=ipo"' in text
    assert text.count("fits your answers") == 1
    file = browser.get(f"/api/recommendations/{number}/card.md").text
    assert "## What would change this answer" in file


def test_the_guide_begins_for_a_use_case_with_what_is_known_of_it(browser: TestClient) -> None:
    project = sample.load()
    second = shown(browser, "guide", project=project, step=2)
    assert 'value="task_accuracy" checked' in second
    assert f'<a href="/use-case?id={project}">As the use case says</a>' in second
    assert f'href="/guide?project={project}&amp;step=3"' in second
    assert 'value="0.85"' in shown(browser, "guide", project=project, step=3)
    fourth = shown(browser, "guide", project=project, step=4)
    assert "Counted from Medication directions: labelled · v1" in fourth
    assert "Medication directions</a>" in second
    assert second.count('<li class="done">') >= 5
    side = shown(browser, "guide-side", project=project)
    assert ">SFT</h2>" in side
    assert "this is what the use case tells" in side

    begun = {"project": project, "answers": {"n_labelled": "40"}}
    draft = browser.post("/api/guide/drafts", json=begun).json()["draft"]
    text = shown(browser, "guide", draft=draft, step=4)
    assert 'value="40"' in text
    assert "Counted from Medication directions: labelled · v1: 500." in text
    number = browser.post(f"/api/guide/drafts/{draft}/finish").json()["id"]
    with db.reading() as session:
        made = recommendations.get(session, number)
        assert made.project_id == project
        assert made.answers["n_labelled"] == 40
        assert made.answers["reward"] == "verifiable"
    again = browser.post("/api/guide/drafts", json={"recommendation": number}).json()["draft"]
    assert f'href="/use-case?id={project}"' in shown(browser, "guide", draft=again)


def test_a_use_case_that_is_not_there_is_told_in_words(browser: TestClient) -> None:
    assert "no use case 99" in browser.get("/parts/guide", params={"project": 99}).text
    refused = browser.post("/api/guide/drafts", json={"project": 99, "answers": {"stakes": "low"}})
    assert refused.status_code == 404


def test_settings_show_every_threshold_with_what_is_shipped(browser: TestClient) -> None:
    assert settings.PAGE.path == "/settings"
    text = shown(browser, "settings-thresholds")
    assert text.count('type="number"') == len(load().thresholds)
    assert "set by you" not in text
    browser.put("/api/guide/thresholds", json={"sft_min": 300, "sft_pilot": ""})
    text = shown(browser, "settings-thresholds")
    assert 'name="sft_min" value="300"' in text
    assert text.count("set by you") == 1
    assert "1 number set in this studio" in text
    refused = browser.put("/api/guide/thresholds", json={"sft_min": 6000})
    assert refused.status_code == 422
    assert "cannot be above" in refused.json()["error"]
    assert browser.put("/api/guide/thresholds", json={"of_old": 3}).json()["field"] == "of_old"
    assert browser.put("/api/guide/thresholds", json={"sft_min": None}).json()["sft_min"] == 500
    assert browser.get("/api/guide/thresholds").json() == load().limits


def test_thresholds_of_this_studio_decide_and_old_advice_keeps_its_own(browser: TestClient) -> None:
    answers = {"main_gap": "preference_alignment", "phase_done": "2", "n_pairs": "320"}
    before = finish(browser, **answers)
    assert browser.put("/api/guide/thresholds", json={"pairs_min": 300}).json()["pairs_min"] == 300
    draft = keep(browser, **answers)
    assert ">DPO</h2>" in shown(browser, "guide-side", draft=draft)
    after = browser.post(f"/api/guide/drafts/{draft}/finish").json()["id"]
    asked = {"phase_done": 2, "main_gap": "preference_alignment", "n_pairs": 320}
    assert browser.post("/api/guide", json=asked).json()["technique"] == "dpo"
    with db.reading() as session:
        cards = [recommendations.card_of(recommendations.get(session, each)) for each in (before, after)]
    assert [card.technique for card in cards] == ["collect_preferences", "dpo"]
    assert [[fact.value for fact in card.thresholds if fact.changed] for card in cards] == [[], ["300"]]
    assert "You have 320 preference pairs; at least 300 are needed." in cards[1].why


def test_the_last_step_gives_a_card_that_leads_to_a_run(browser: TestClient) -> None:
    number = finish(browser, **SFT)
    text = shown(browser, "guide", recommendation=number)
    assert f"/new-run?technique=sft&amp;recommendation={number}" in text
    assert "800 labelled examples" in text
    assert "Not a forecast" in text
    assert "Ruled out" in text
    assert "Measure a baseline" in text


def test_an_answer_that_is_no_training_says_so_and_offers_no_run(browser: TestClient) -> None:
    text = shown(browser, "guide", recommendation=finish(browser, main_gap="not_tested"))
    assert "No training needed now" in text
    assert "/new-run" not in text


def test_a_technique_the_studio_lacks_is_said_honestly(browser: TestClient) -> None:
    answers = {"main_gap": "domain_vocabulary", "phase_done": "1", "n_domain_tokens_m": "500"}
    number = finish(browser, **answers)
    with db.reading() as session:
        kept = recommendations.get(session, number)
        has_run = recommendations.first_run(recommendations.card_of(kept))
    text = shown(browser, "guide", recommendation=number)
    assert ("/new-run" in text) is bool(has_run)
    assert ("cannot train" in text) is not bool(has_run)


def test_what_more_data_would_unlock_is_in_numbers(browser: TestClient) -> None:
    number = finish(browser, phase_done="2", main_gap="preference_alignment", n_pairs="320")
    text = shown(browser, "guide", recommendation=number)
    assert "you have 320 preference pairs, you need 1,000" in text


def test_high_stakes_bring_gates(browser: TestClient) -> None:
    assert "gates" in shown(browser, "guide", recommendation=finish(browser, **SFT, stakes="high"))


def test_change_answers_begins_a_draft_with_the_old_ones(browser: TestClient) -> None:
    number = finish(browser, **SFT)
    draft = browser.post("/api/guide/drafts", json={"recommendation": number}).json()["draft"]
    assert 'value="task_accuracy" checked' in shown(browser, "guide", draft=draft, step=2)


def test_the_card_is_a_markdown_file(browser: TestClient) -> None:
    answer = browser.get(f"/api/recommendations/{finish(browser, **SFT)}/card.md")
    assert answer.headers["content-type"].startswith("text/markdown")
    assert "attachment" in answer.headers["content-disposition"]
    assert answer.text.startswith("# SFT")


def test_using_the_advice_is_remembered(browser: TestClient) -> None:
    number = finish(browser, **SFT)
    browser.post(f"/api/recommendations/{number}/decision", json={"decision": "accepted"})
    with db.reading() as session:
        kept = session.get(Recommendation, number)
        assert kept is not None
        assert kept.decision == "accepted"
    assert "in use" in shown(browser, "guide", recommendation=number)


def test_prompt_engineering_opens_the_lab_of_its_use_case(browser: TestClient) -> None:
    number = finish(browser, phase_done="0", main_gap="task_accuracy")
    assert 'data-then="/prompts"' in shown(browser, "guide", recommendation=number)
    with db.transaction() as session:
        project = Project(name="Directions", criteria=[])
        session.add(project)
        session.flush()
        recommendations.get(session, number).project_id = project.id
    text = shown(browser, "guide", recommendation=number)
    assert f'data-then="/prompts?project={project.id}"' in text


def test_a_recommendation_that_is_not_there_is_told_in_words(browser: TestClient) -> None:
    answer = browser.get("/parts/guide", params={"recommendation": 99})
    assert answer.status_code == 404
    assert "no recommendation 99" in answer.text


def test_a_key_of_another_kind_is_refused(browser: TestClient) -> None:
    answer = browser.post("/api/guide/drafts", json={"draft": "<b>", "answers": {"stakes": "low"}})
    assert answer.status_code == 422


def test_the_page_lists_itself() -> None:
    assert PAGE.path == "/guide"
