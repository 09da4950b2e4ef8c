"""The form of a new run: what it begins with, what follows an edit, and Start."""

from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app import errors, parts
from app.pages import new_run, new_run_form, setup
from app.toolkit import gr, in_loop
from studio import db, drafts, queue, recommendations, runs, techniques
from studio.models import Dataset, DatasetVersion, Model, Run

KEY = "run-000000000001"


@pytest.fixture
def sheet(database: Path, monkeypatch: pytest.MonkeyPatch) -> new_run_form.Sheet:
    """The page's inputs over a studio with two models and three datasets. No broker runs in this test."""
    monkeypatch.setattr(queue, "wake_workers", lambda: False)
    with db.transaction() as session:
        session.add(Model(name="tiny", source="x/tiny", parameters=1_000_000))
        session.add(Model(name="large", source="x/large", parameters=7_000_000_000))
        for number, (name, shape) in enumerate([("notes", "chat"), ("texts", "text"), ("kept", "chat")], 1):
            session.add(
                DatasetVersion(
                    id=number,
                    dataset=Dataset(name=name),
                    number=1,
                    shape=shape,
                    format="jsonl",
                    rows=500,
                    sha256=name,
                    folder=f"datasets/{name}",
                )
            )
    return in_loop(lay_out)


def lay_out() -> new_run_form.Sheet:
    with gr.Blocks():
        made = new_run_form.lay_out()
        made.start.render()
    return made


@pytest.fixture
def browser(database: Path) -> TestClient:
    app = FastAPI()
    errors.install(app)
    app.include_router(parts.router)
    return TestClient(app)


def said(sheet: new_run_form.Sheet, updates: list[Any], component: Any) -> dict[str, Any]:
    return dict(updates[-len(sheet.all) :][sheet.all.index(component)])


def open_at(sheet: new_run_form.Sheet, address: str = "") -> list[Any]:
    return new_run_form.opened(sheet, address)


def choose(sheet: new_run_form.Sheet, **wanted: str) -> list[Any]:
    choices = {"technique": "sft", "adapter": "lora", "model": "1", "dataset": "1", "held_out": ""} | wanted
    return new_run_form.chosen(sheet, KEY, "", *(choices[name] for name in new_run_form.CHOICES))


def type_in(sheet: new_run_form.Sheet, **changed: Any) -> list[Any]:
    """The person changes settings of SFT; the rest is what stands in the form."""
    form = sheet.techniques["sft"]
    now = kept().parameters
    with db.reading() as session:
        advised, _ = setup.recommended(session, kept())
    values = advised | now | changed
    return new_run_form.set_values(
        sheet, "technique", "sft", KEY, "", *(values[name] for name in form.inputs)
    )


def kept() -> setup.Setup:
    with db.reading() as session:
        return setup.current(session, KEY, {})


def press_start(sheet: new_run_form.Sheet, name: str = "", seed: float | None = 42) -> list[Any]:
    now = kept()
    with db.reading() as session:
        of_technique, of_adapter = setup.values(session, now)
    settings: list[Any] = []
    for (family, member), form in sheet.forms.items():
        mine = getattr(now, family) == member
        values = of_technique if family == "technique" else of_adapter
        settings += [values[field] if mine else None for field in form.inputs]
    choices = [getattr(now, name) for name in new_run_form.CHOICES]
    return new_run_form.launch(sheet, "", KEY, "", *choices, name, seed, *settings)


def test_start_names_what_is_missing(sheet: new_run_form.Sheet) -> None:
    start = said(sheet, open_at(sheet), sheet.start)
    assert start["value"] == "Choose a model and a dataset to start"
    assert start["interactive"] is False
    assert said(sheet, open_at(sheet, "?model=1"), sheet.start)["value"] == "Choose a dataset to start"
    ready = said(sheet, open_at(sheet, "?model=1&dataset=1"), sheet.start)
    assert (ready["value"], ready["interactive"]) == ("Start", True)


def test_only_versions_that_fit_are_offered_and_others_say_why(
    sheet: new_run_form.Sheet, browser: TestClient
) -> None:
    offered = said(sheet, open_at(sheet), sheet.choices["dataset"])["choices"]
    assert [value for _, value in offered] == ["3", "1"]
    text = browser.get("/parts/new-run-data").text
    assert "texts · v1" in text
    assert "has plain text; needs" in text


def test_settings_are_recommended_for_model_and_adapter(sheet: new_run_form.Sheet) -> None:
    rate = sheet.techniques["sft"].inputs["learning_rate"]
    suggest = techniques.get("sft").suggest
    for model, size in (("1", 1_000_000), ("2", 7_000_000_000)):
        for adapter in ("full", "lora"):
            shown = said(sheet, choose(sheet, model=model, adapter=adapter), rate)["value"]
            assert shown == suggest(adapter, size)["learning_rate"]


def test_an_edit_survives_a_change_of_adapter_and_model(sheet: new_run_form.Sheet) -> None:
    choose(sheet)
    type_in(sheet, learning_rate=0.0123)
    updates = choose(sheet, adapter="full", model="2")
    form = sheet.techniques["sft"]
    assert kept().parameters["learning_rate"] == 0.0123
    assert "value" not in said(sheet, updates, form.inputs["learning_rate"])  # it stands in the field
    assert "changed" in said(sheet, updates, form.inputs["learning_rate"])["elem_classes"]
    assert said(sheet, updates, sheet.reset)["visible"] is True


def test_reset_brings_the_recommendation_back(sheet: new_run_form.Sheet) -> None:
    choose(sheet)
    type_in(sheet, learning_rate=0.0123)
    updates = new_run_form.reset(sheet, KEY, "")
    assert kept().parameters == {}
    assert said(sheet, updates, sheet.reset)["visible"] is False


def test_changes_are_counted_and_listed(sheet: new_run_form.Sheet, browser: TestClient) -> None:
    choose(sheet)
    type_in(sheet, learning_rate=0.0123, save_steps=7)
    text = browser.get("/parts/new-run-changes", params={"draft": KEY}).text
    assert "2 settings changed from the recommendation" in text
    assert "0.0123" in text


def test_a_wrong_setting_stops_start_and_is_told_at_field_and_button(
    sheet: new_run_form.Sheet, browser: TestClient
) -> None:
    choose(sheet)
    start, _, *marks = type_in(sheet, learning_rate=7.0)
    assert start["value"] == "Check the learning rate to start"
    at = list(sheet.techniques["sft"].inputs).index("learning_rate")
    assert "wrong" in marks[at]["elem_classes"]
    assert "Learning rate" in browser.get("/parts/new-run-summary", params={"draft": KEY}).text


def test_the_summary_says_rows_steps_and_checkpoints(sheet: new_run_form.Sheet, browser: TestClient) -> None:
    choose(sheet)
    type_in(sheet, per_device_train_batch_size=32, gradient_accumulation_steps=2, num_train_epochs=5.0)
    text = browser.get("/parts/new-run-summary", params={"draft": KEY}).text
    assert "500 rows" in text
    assert '<span class="num">40</span>' in text


@pytest.mark.parametrize(
    ("rows", "batch", "adding", "epochs", "most", "steps"),
    [(500, 32, 1, 3.0, -1, 48), (500, 32, 2, 5.0, -1, 40), (10, 8, 1, 0.5, -1, 1), (500, 8, 1, 3.0, 7, 7)],
)
def test_steps_are_counted_as_the_trainer_counts_them(
    rows: int, batch: int, adding: int, epochs: float, most: int, steps: int
) -> None:
    settings = {
        "per_device_train_batch_size": batch,
        "gradient_accumulation_steps": adding,
        "num_train_epochs": epochs,
        "max_steps": most,
    }
    assert setup.estimate_steps(rows, settings) == steps


def test_start_launches_what_the_fields_say_and_leaves_for_the_run(sheet: new_run_form.Sheet) -> None:
    choose(sheet, held_out="3")
    type_in(sheet, learning_rate=0.0123)
    goal = press_start(sheet, name="first", seed=7)[0]
    with db.reading() as session:
        run = runs.listed(session)[0]
        assert goal == f"/run?id={run.id}"
        assert (run.name, run.seed, run.parameters["learning_rate"]) == ("first", 7, 0.0123)
        assert run.held_out_id == 3
        assert drafts.get(session, KEY) == {}


def test_a_refused_start_loses_nothing_and_says_why(sheet: new_run_form.Sheet, browser: TestClient) -> None:
    choose(sheet, model="no such thing")
    type_in(sheet, learning_rate=0.0123)
    assert press_start(sheet, name="mine")[0] == ""
    with db.reading() as session:
        assert runs.listed(session) == []
    assert (kept().name, kept().parameters) == ("mine", {"learning_rate": 0.0123})
    assert "nor a hub id" in browser.get("/parts/new-run-summary", params={"draft": KEY}).text


def test_a_clone_begins_as_its_run_and_lists_what_was_changed(
    sheet: new_run_form.Sheet, browser: TestClient
) -> None:
    choose(sheet)
    type_in(sheet, learning_rate=0.0123)
    press_start(sheet)
    updates = open_at(sheet, "?clone=1")
    assert said(sheet, updates, sheet.techniques["sft"].inputs["learning_rate"])["value"] == 0.0123
    assert "0 settings changed from run 1" in browser.get("/parts/new-run-changes", params={"clone": 1}).text
    new_run_form.named(sheet, KEY, "?clone=1", "again", 43)
    text = browser.get("/parts/new-run-changes", params={"draft": KEY}).text
    assert "1 setting changed from run 1" in text
    press_start(sheet, seed=43)
    with db.reading() as session:
        newest = session.get(Run, 2)
        assert newest is not None
        assert newest.parent_id == 1


def test_a_recommendation_is_named_and_followed(sheet: new_run_form.Sheet, browser: TestClient) -> None:
    with db.transaction() as session:
        answers = {"main_gap": "task_accuracy", "phase_done": 1, "n_labelled": 800}
        number = recommendations.save(session, answers).id
    assert "SFT" in browser.get("/parts/new-run-head", params={"recommendation": number}).text
    new_run_form.named(sheet, KEY, f"?recommendation={number}&model=1&dataset=1", "", 42)
    press_start(sheet)
    with db.reading() as session:
        assert runs.listed(session)[0].recommendation_id == number


def test_an_address_that_names_what_is_not_there_is_told_in_words(
    browser: TestClient, database: Path
) -> None:
    for address in ({"clone": "99"}, {"technique": "alchemy"}, {"dataset": "99"}, {"clone": "x"}):
        assert browser.get("/parts/new-run-summary", params=address).status_code == 404


def test_names_of_datasets_and_models_are_escaped(sheet: new_run_form.Sheet, browser: TestClient) -> None:
    with db.transaction() as session:
        session.query(Dataset).filter_by(name="texts").update({"name": "<script>alert(1)</script>"})
    text = browser.get("/parts/new-run-data").text
    assert "<script>" not in text
    assert "&lt;script&gt;" in text


def test_the_page_stands_under_runs() -> None:
    assert (new_run.PAGE.path, new_run.PAGE.under) == ("/new-run", "/runs")
