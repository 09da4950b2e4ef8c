"""The form of a new run: what it begins with, what follows an edit, and Start."""

import html
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app import errors, parts
from app.api import new_run as api
from app.forms import readable
from app.pages import lab as lab_page
from app.pages import new_run
from app.pages.new_run_parts import PARTS
from app.setup import Setup, beginning, several
from app.setup.plan import Plan
from studio import (
    adapters,
    db,
    drafts,
    graders,
    lab,
    prices,
    queue,
    recommendations,
    runs,
    storage,
    sweeps,
    techniques,
)
from studio.datasets import canonical
from studio.estimate import work
from studio.lab import LabConfig
from studio.models import Dataset, DatasetVersion, Model, Run, State
from studio.parameters import about
from studio.techniques import Technique
from tests import made_runs

SHAPES = ("chat", "text", "chat", "preference", "labelled", "prompt", "rated", "classification", "retrieval")
ROW = {"prompt": [{"role": "user", "content": "2 + 2?"}], "reference_answer": "4", "slice": "plain"}
SLOWEST = 0.03  # seconds of processor time for one part of the page


@pytest.fixture
def browser(database: Path, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """A studio with two models and a dataset of each shape. No broker runs in this test."""
    monkeypatch.setattr(queue, "wake_workers", lambda: False)
    with db.transaction() as session:
        session.add(Model(name="tiny", source="x/tiny", parameters=1_000_000))
        session.add(Model(name="large", source="x/large", parameters=7_000_000_000))
        for number, shape in enumerate(SHAPES, 1):
            session.add(version(number, shape))
    app = FastAPI()
    errors.install(app)
    app.include_router(parts.router)
    app.include_router(api.router)
    return TestClient(app)


def version(number: int, shape: str) -> DatasetVersion:
    return DatasetVersion(
        id=number,
        dataset=Dataset(name=f"{shape} {number}"),
        number=1,
        shape=shape,
        format="jsonl",
        rows=500,
        sha256=f"{number:064}",
        folder=f"datasets/{number}",
    )


class Form:
    """The page as its script uses it: edits by path, and the parts that come back."""

    def __init__(self, browser: TestClient, **asked: str):
        self.browser, self.asked, self.draft = browser, asked, ""
        self.parts: dict[str, str] = {}
        self.answer: dict[str, Any] = {}

    def edit(self, set: dict[str, str] | None = None, **more: Any) -> "Form":
        body = {"draft": self.draft, "asked": self.asked, "set": set or {}, "known": {}} | more
        answer = self.browser.post("/api/new-run/drafts", json=body)
        assert answer.status_code == 200, answer.text
        self.answer = answer.json()
        self.draft, self.parts = self.answer["draft"], self.answer["parts"]
        return self

    def start(self) -> Any:
        return self.browser.post("/api/new-run/start", json={"draft": self.draft, "asked": self.asked})

    def part(self, name: str) -> str:
        if self.draft:
            return self.parts[name]
        answer = self.browser.get(f"/parts/{name}", params=self.asked)
        assert answer.status_code == 200, answer.text
        return answer.text

    @property
    def button(self) -> tuple[str, bool]:
        """What Start says, and whether it can be pressed."""
        found = re.search(r'<button[^>]*id="new-run-start"([^>]*)>([^<]*)<', self.part("new-run-summary"))
        assert found
        return html.unescape(found[2]), "disabled" not in found[1]

    def value(self, path: str) -> str:
        """What stands in the input of this path."""
        found = re.search(rf'data-path="{re.escape(path)}" data-value="([^"]*)"', self.all)
        assert found, path
        return html.unescape(found[1])

    @property
    def all(self) -> str:
        return "".join(self.part(name) for name in PARTS)

    @property
    def setup(self) -> Setup:
        with db.reading() as session:
            return beginning.current(session, self.asked | {"draft": self.draft})


@pytest.fixture
def form(browser: TestClient) -> Form:
    """SFT of the tiny model with LoRA on the first dataset."""
    return Form(browser, technique="sft", model="1", dataset="1")


def options(form: Form, select: str) -> list[str]:
    inside = form.part("new-run-base").partition(f'id="{select}"')[2].partition("</select>")[0]
    return [value for value in re.findall(r'<option value="([^"]*)"', inside) if value]


every_technique = pytest.mark.parametrize("technique", techniques.all(), ids=lambda each: each.name)


# ---- what it begins with ------------------------------------------------------------------------------


def test_start_names_what_is_missing(browser: TestClient) -> None:
    assert Form(browser).button == ("Choose a model and a dataset to start", False)
    assert Form(browser, model="1").button == ("Choose a dataset to start", False)
    assert Form(browser, model="1", dataset="1").button == ("Start", True)


@every_technique
def test_only_the_form_of_the_technique_that_is_chosen_is_there(
    browser: TestClient, technique: Technique
) -> None:
    form = Form(browser, technique=technique.name, model="1")
    shown = re.findall(r'data-path="parameters:(\w+)"', form.part("new-run-settings"))
    assert set(shown) == set(technique.parameters.model_fields)
    assert len(form.part("new-run-settings")) < 60_000
    for wanted in technique.inputs:
        assert wanted.title in form.part("new-run-base")
        assert f'data-path="inputs:{wanted.name}"' in form.part("new-run-base")
    offered = set(re.findall(r'name="adapter" value="(\w+)"', form.part("new-run-base")))
    fitting = {each.name for each in adapters.all() if technique.fits_adapter(each.name)}
    assert offered == (fitting if len(fitting) > 1 else set())


@every_technique
def test_every_technique_asks_for_what_it_reads_and_can_then_be_started(
    browser: TestClient, technique: Technique
) -> None:
    form = Form(browser, technique=technique.name, model="1")
    data = str(SHAPES.index(technique.shapes[0]) + 1)
    needed = [wanted for wanted in technique.inputs if wanted.required]
    words = form.button[0]
    assert "a dataset" in words
    assert ("a grader" in words) is technique.graded
    assert all(wanted.title.lower() in words for wanted in needed)
    form.edit({"dataset": data} | {f"inputs:{wanted.name}": "2" for wanted in needed})
    if technique.graded:
        form.edit(act=[["add-grader", "exact_match"]])
    assert form.button == ("Start", True)
    url = form.start().json()["url"]
    with db.reading() as session:
        run = runs.listed(session)[0]
        assert url == f"/run?id={run.id}"
        assert (run.technique, run.dataset_version_id) == (technique.name, int(data))
        assert run.inputs == {wanted.name: 2 for wanted in needed}


def test_every_part_is_drawn_in_no_time(browser: TestClient) -> None:
    for technique in techniques.all():
        for name in PARTS:
            took = []
            for _ in range(3):
                began = time.process_time()
                browser.get(f"/parts/{name}", params={"technique": technique.name, "model": "1"})
                took.append(time.process_time() - began)
            assert min(took) < SLOWEST, (technique.name, name)


def test_only_versions_that_fit_are_offered_and_others_say_why(form: Form) -> None:
    assert options(form, "new-run-dataset") == ["8", "4", "3", "1"]
    assert "text 2 · v1" in form.part("new-run-base")
    assert "has plain text; needs" in form.part("new-run-base")
    assert options(form, "new-run-held-out") == ["8", "6", "4", "3"]  # not the data it learns from


def test_techniques_stand_in_groups_with_the_data_that_fits_and_are_found_by_every_name(
    browser: TestClient,
) -> None:
    text = html.unescape(Form(browser).part("new-run-technique"))
    order = [text.index(f"<h3>{group}</h3>") for group in dict.fromkeys(t.group for t in techniques.all())]
    assert len(order) > 3
    for technique in techniques.all():
        offer = text.partition(f'data-key="{technique.name}"')[0].rpartition('data-words="')[2]
        for name in (technique.name, technique.title, technique.full_name, *technique.aliases):
            assert name.lower() in offer, (technique.name, name)
        assert f'href="/technique?name={technique.name}"' in text
    assert "Fits classification 8 · v1 and 3 more" in text
    assert text.count('<details class="chooser" id="technique-chooser" open>') == 1
    chosen = Form(browser, technique="dpo").part("new-run-technique")
    assert '<details class="chooser" id="technique-chooser">' in chosen


def test_settings_are_recommended_for_model_and_adapter_each_value_with_its_own_source(
    browser: TestClient,
) -> None:
    sft = techniques.get("sft")
    default = about(sft.parameters.model_fields["learning_rate"])["source"]
    for model, size, said in (("1", 1_000_000, "1M"), ("2", 7_000_000_000, "7B")):
        for adapter in ("full", "lora"):
            form = Form(browser, technique="sft", model=model, adapter=adapter)
            rate, source = sft.suggestions(adapter, size)["learning_rate"]
            assert float(form.value("parameters:learning_rate")) == rate
            assert f"a model of {said} parameters with {adapters.get(adapter).title}" in form.all
            told = f"Recommended here {readable(rate)} ({source})"
            other = ", as by default" if rate == 2e-5 else f"; otherwise {readable(2e-5)}"
            assert f"{told}{other} ({default})." in form.all


# ---- what follows an edit -----------------------------------------------------------------------------


def test_an_edit_survives_a_change_of_adapter_model_and_technique(form: Form) -> None:
    form.edit({"parameters:learning_rate": "0.0123"})
    form.edit({"adapter": "full", "model": "2"})
    assert form.value("parameters:learning_rate") == "0.0123"
    assert form.answer["changed"] == ["parameters:learning_rate"]
    form.edit({"technique": "dpo"}).edit({"technique": "sft"})
    assert form.value("parameters:learning_rate") == "0.0123"
    assert form.value("dataset") == "1"


def test_what_was_not_touched_follows_the_recommendation(form: Form) -> None:
    form.edit({"parameters:save_steps": "7"})
    before = form.value("parameters:learning_rate")
    form.edit({"adapter": "full", "model": "2"})
    assert form.value("parameters:learning_rate") != before
    assert form.setup.parameters == {"save_steps": 7}


def test_a_value_that_is_the_recommended_one_is_no_change(form: Form) -> None:
    advised = form.value("parameters:learning_rate")
    form.edit({"parameters:learning_rate": "0.5"}).edit({"parameters:learning_rate": advised})
    assert form.setup.parameters == {}
    assert "All as recommended" in form.part("new-run-settings")


def test_a_technique_that_does_not_go_with_the_adapter_changes_it(form: Form) -> None:
    narrow = next(each for each in techniques.all() if each.adapters)
    form.edit({"technique": narrow.name})
    assert form.setup.adapter in narrow.adapters


def test_resets_bring_the_recommendation_back_one_by_one_and_together(form: Form) -> None:
    form.edit({"parameters:learning_rate": "0.5", "parameters:save_steps": "7", "adapter_parameters:r": "4"})
    assert "3 settings changed from the recommendation" in form.part("new-run-settings")
    form.edit(reset=["parameters:learning_rate"])
    assert form.answer["changed"] == ["parameters:save_steps", "adapter_parameters:r"]
    form.edit(reset=["all"])
    assert (form.setup.parameters, form.setup.adapter_parameters) == ({}, {})
    assert "new-run-reset" not in form.part("new-run-settings")


@pytest.mark.parametrize("typed", ["7", "fast", "", "nan", "1e999"])
def test_a_wrong_setting_is_kept_marked_and_told_at_field_and_button(form: Form, typed: str) -> None:
    form.edit({"parameters:learning_rate": typed})
    assert form.button == ("Check the learning rate to start", False)
    assert form.answer["wrong"] == "parameters:learning_rate"
    assert form.value("parameters:learning_rate") == typed
    assert 'id="parameters-learning_rate-problem"' in form.part("new-run-settings")
    assert "Learning rate" in form.part("new-run-summary")


@pytest.mark.parametrize("typed", ["-1", "1.5", "x", ""])
def test_a_seed_that_is_none_is_told(form: Form, typed: str) -> None:
    form.edit({"seed": typed})
    assert form.button == ("Check the seed to start", False)


def test_only_parts_that_changed_come_back(form: Form) -> None:
    form.edit()
    tags = form.answer["tags"]
    form.edit(known=tags)
    assert form.answer["parts"] == {}
    form.edit({"parameters:learning_rate": "0.5"}, known=tags)
    assert set(form.answer["parts"]) == {"new-run-settings"}
    form.edit({"name": "a"}, known=None)
    assert form.answer["parts"] == {}


def test_a_field_that_is_none_is_refused_and_nothing_is_kept(form: Form) -> None:
    form.edit({"name": "kept"})
    for path in ("nothing", "parameters:nothing", "graders:g9:weight", "sweep:nothing:values", "set"):
        body = {"draft": form.draft, "set": {"name": "lost", path: "1"}}
        assert form.browser.post("/api/new-run/drafts", json=body).status_code == 422, path
    assert form.setup.name == "kept"


def test_the_summary_says_rows_steps_and_checkpoints(form: Form) -> None:
    form.edit(
        {
            "parameters:per_device_train_batch_size": "32",
            "parameters:gradient_accumulation_steps": "2",
            "parameters:num_train_epochs": "5",
        }
    )
    assert "500 rows" in form.part("new-run-summary")
    assert '<span class="num">40</span>' in form.part("new-run-summary")


def test_the_summary_says_how_long_it_takes_by_the_runs_before_it(form: Form) -> None:
    with db.transaction() as session:
        lengths = {"fields": {"row": {"characters": {"total": 50_000}}}}
        session.get_one(DatasetVersion, 1).report = {"statistics": lengths}
    form.edit()
    assert "no run was finished on CPU yet" in form.part("new-run-summary")
    with db.transaction() as session:
        made_runs.host(session)
        data, model = session.get_one(DatasetVersion, 1), session.get_one(Model, 1)
        run = made_runs.made(session, model, data, State.SUCCEEDED, losses=[0.5] * 190)
        run.host = "workstation"
    form.edit({"name": "again"})
    text = form.part("new-run-summary")
    assert "from 1 run here" in text
    assert " min" in text
    assert "Cost" not in text
    with db.transaction() as session:
        prices.put(session, prices.Prices(currency="EUR", cpu_hour=2.0))
    form.edit({"name": "and again"})
    assert " EUR" in form.part("new-run-summary")


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
    assert work.steps(rows, settings) == steps


def test_steps_of_techniques_that_make_answers_are_counted_by_answers() -> None:
    settings = {"per_device_train_batch_size": 16, "gradient_accumulation_steps": 2, "num_train_epochs": 1.0}
    grouped = settings | {"num_generations": 8, "updates_per_generation": 2, "num_iterations": 3}
    # a generation is of 64 answers to 8 prompts; of 100 prompts 96 are used, 768 answers, each seen 3 times
    assert work.steps(100, grouped) == 72
    assert work.steps(100, settings | {"num_ppo_epochs": 4}) == 13


# ---- models and further inputs ------------------------------------------------------------------------


def test_the_result_of_a_run_still_going_can_be_the_model(form: Form) -> None:
    form.edit()
    going = int(form.start().json()["url"].rpartition("=")[2])
    form = Form(form.browser, technique="dpo", dataset="4").edit({"model": f"run:{going}"})
    assert f"run:{going}" in options(form, "new-run-model")
    assert form.button == ("Start", True)
    assert "a model of 1M parameters" in form.all  # the size is that of the model it goes on from
    form.start()
    with db.reading() as session:
        newest = runs.listed(session)[0]
        assert (newest.after_id, newest.inputs["model"]) == (going, f"run:{going}")


def test_a_run_that_failed_makes_no_model_and_says_so(form: Form) -> None:
    form.edit().start()
    with db.transaction() as session:
        run = session.get_one(Run, 1)
        run.state = State.CANCELLED
    form = Form(form.browser, technique="sft", dataset="1", model="run:1")
    assert form.button == ("Check the model to start", False)
    assert "it will make no model" in form.part("new-run-summary")


def test_a_folder_or_a_hub_id_is_typed_beside_the_list(form: Form) -> None:
    form.edit({"model": "Qwen/Qwen3-0.6B"})
    assert form.button == ("Start", True)
    assert 'data-value="other"' in form.part("new-run-base")
    form.edit({"model": "no such thing"})
    assert form.button == ("Check the model to start", False)
    assert 'id="new-run-model-problem"' in form.part("new-run-base")


def test_only_models_a_technique_can_start_from_are_offered(form: Form) -> None:
    with db.transaction() as session:
        session.add(Model(name="judge", source="x/judge", kind="reward"))
    assert options(form, "new-run-model") == ["1", "2", "other"]


# ---- graders ------------------------------------------------------------------------------------------


def test_graders_are_added_set_ordered_and_removed(browser: TestClient) -> None:
    form = Form(browser, technique="grpo", model="1", dataset="6")
    form.edit(act=[["add-grader", "exact_match"], ["add-grader", "exact_match"], ["add-grader", "length"]])
    assert [each.name for each in form.setup.graders] == ["", "exact_match 2", ""]
    form.edit({"graders:g2:weight": "0.5", "graders:g2:name": "half"})
    form.edit(act=[["raise-grader", "g3"], ["remove-grader", "g1"]])
    assert [key for key, _ in form.setup.keyed()] == ["g3", "g2"]
    assert form.button == ("Start", True)
    form.start()
    with db.reading() as session:
        kept = runs.listed(session)[0].graders
    assert [(each["grader"], each["name"], each["weight"]) for each in kept] == [
        ("length", "length", 1.0),
        ("exact_match", "half", 0.5),
    ]


@pytest.mark.parametrize(
    ("asked", "found"),
    [("rlaif", "judge"), ("rlvr", "unit_tests"), ("rlhf", "reward_model"), ("exact", "exact_match")],
)
def test_a_grader_is_found_by_the_name_of_what_it_is_used_for(
    browser: TestClient, asked: str, found: str
) -> None:
    text = html.unescape(Form(browser, technique="ppo").part("new-run-graders"))
    words = dict(re.findall(r'data-words="([^"]*)" data-key="(\w+)"', text))
    assert found in [name for words, name in words.items() if asked in words]


@pytest.mark.parametrize("grader", graders.all(), ids=lambda each: each.name)
def test_every_grader_has_a_form_of_its_own_settings(browser: TestClient, grader: graders.Grader) -> None:
    form = Form(browser, technique="grpo", model="1", dataset="6").edit(act=[["add-grader", grader.name]])
    shown = re.findall(r'data-path="graders:g1:parameters:(\w+)" data-value', form.part("new-run-graders"))
    assert set(shown) == set(grader.parameters.model_fields)
    assert grader.title in html.unescape(form.part("new-run-graders"))


def test_what_is_wrong_with_a_grader_is_told_where_it_is(browser: TestClient) -> None:
    form = Form(browser, technique="grpo", model="1", dataset="6").edit(act=[["add-grader", "json_schema"]])
    form.edit({"graders:g1:parameters:json_schema": '{"type": '})
    assert form.answer["wrong"] == "graders:g1:parameters:json_schema"
    assert form.button[0] == f"Check the grader {graders.get('json_schema').title} to start"
    form.edit({"graders:g1:parameters:json_schema": '{"type": "object"}', "graders:g1:weight": "much"})
    assert form.answer["wrong"] == "graders:g1:weight"
    form.edit({"graders:g1:weight": "2", "graders:g1:name": "<b>"})
    assert form.answer["wrong"] == "graders:g1:name"
    form.edit({"graders:g1:name": "same"}, act=[["add-grader", "exact_match"]])
    form.edit({"graders:g2:name": "same"})
    assert form.answer["wrong"] == "graders:g2:name"
    form.edit(act=[["remove-grader", "g2"]])
    assert form.answer["is_ready"]


UNTRIED = "No reward lab has tried these graders"


def test_a_reward_that_no_lab_has_tried_is_said_until_one_has(browser: TestClient) -> None:
    form = Form(browser, technique="grpo", model="1", dataset="6")
    assert UNTRIED not in form.edit().part("new-run-summary")  # there is no reward yet
    form.edit(act=[["add-grader", "length"]]).edit({"graders:g1:parameters:at_most": "20"})
    assert UNTRIED in form.part("new-run-summary")
    assert f'href="/lab?draft={form.draft}"' in form.part("new-run-summary")
    with db.transaction() as session:
        body = lab_page.Asked.of(session, form.draft).body
        lab.launch(session, LabConfig(**body))
    assert UNTRIED not in form.edit().part("new-run-summary")
    assert UNTRIED in form.edit({"graders:g1:parameters:at_most": "30"}).part("new-run-summary")
    for technique in ("sft", "distillation"):
        assert UNTRIED not in form.edit({"technique": technique}).part("new-run-summary")


def test_imported_graders_are_added_with_only_what_is_their_own(form: Form) -> None:
    form.edit(graders=[{"grader": "length", "name": "short", "parameters": {"at_most": 7}}])
    given = form.setup.graders[0]
    assert (given.name, given.parameters) == ("short", {"at_most": 7})
    assert form.button == ("Start", True)  # they score samples; SFT does not learn from them


def test_a_row_to_try_graders_on_is_what_a_grader_sees(form: Form) -> None:
    folder = storage.made(storage.inside("datasets/6"))
    with canonical.writing(folder / "rows.jsonl") as writer:
        writer.add(canonical.encode(ROW))
    with db.transaction() as session:
        session.get_one(DatasetVersion, 6).rows = 1
    form = Form(form.browser, technique="grpo", model="1", dataset="6").edit(
        act=[["add-grader", "exact_match"]]
    )
    answer = form.browser.get("/parts/new-run-try", params={"draft": form.draft, "row": "3"})
    found = re.search(r'data-case="([^"]*)"', answer.text)
    assert found, answer.text
    case = orjson.loads(html.unescape(found[1]))
    assert (case["prompt"], case["reference"], case["row"]["slice"]) == ("2 + 2?", "4", "plain")
    assert "Row 1 of prompt 6" in answer.text
    assert "Choose a dataset first" in form.browser.get("/parts/new-run-try").text


# ---- chains -------------------------------------------------------------------------------------------


def test_a_reward_and_examples_are_learned_first_as_one_chain(browser: TestClient) -> None:
    form = Form(browser, technique="ppo", model="1", dataset="6").edit({"name": "kind"})
    assert form.button == ("Choose a grader to start", False)
    form.edit({"chain:pairs": "4"})
    assert form.button == ("Start 2 runs", True)
    form.edit({"chain:examples": "1"})
    assert form.button == ("Start 3 runs", True)
    text = form.part("new-run-summary")
    assert "chat 1 · v1" in text
    assert "preference 4 · v1" in text
    url = form.start().json()["url"]
    with db.reading() as session:
        third, second, first = runs.listed(session)
        assert url == f"/run?id={first.id}"
        assert [run.technique for run in (first, second, third)] == ["sft", "reward_model", "ppo"]
        assert [run.after_id for run in (first, second, third)] == [None, first.id, second.id]
        assert (first.name, third.name) == ("kind sft", "kind")


def test_a_chain_is_offered_only_where_a_reward_is_followed(form: Form) -> None:
    form.edit({"chain:pairs": "4"})
    assert "chain:pairs" not in form.part("new-run-graders")
    assert form.button == ("Start", True)
    form.edit({"technique": "rloo", "dataset": "6"})
    assert form.value("chain:pairs") == "4"
    assert form.button == ("Start 2 runs", True)


def test_a_chain_is_not_swept_and_has_no_other_fields(browser: TestClient) -> None:
    form = Form(browser, technique="ppo", model="1", dataset="6").edit({"chain:pairs": "4"})
    form.edit(act=[["vary", "learning_rate"]])
    assert form.button == ("Check what is learned first to start", False)
    assert "launched once" in form.part("new-run-graders")
    wrong = {"draft": form.draft, "set": {"chain:other": "1"}}
    assert browser.post("/api/new-run/drafts", json=wrong).status_code == 422


# ---- several values -----------------------------------------------------------------------------------


def test_several_values_of_two_settings_make_a_grid_of_runs(form: Form) -> None:
    form.edit(act=[["vary", "learning_rate"], ["vary", "lr_scheduler_type"]])
    form.edit(
        {
            "sweep:learning_rate:values": "0.001, 1e-2 0.1",
            "sweep:lr_scheduler_type:picked:linear": "true",
        }
    )
    assert form.button == ("Start 6 runs", True)
    assert "tries 0.001, 0.01, 0.1" in form.part("new-run-settings")
    url = form.start().json()["url"]
    with db.reading() as session:
        made = sweeps.runs_of(session, int(url.rpartition("=")[2]))
        assert len(made) == 6
        assert {run.parameters["learning_rate"] for run in made} == {0.001, 0.01, 0.1}
        assert {run.parameters["lr_scheduler_type"] for run in made} == {"linear", "cosine"}


def test_random_values_are_drawn_from_a_range(form: Form) -> None:
    form.edit(act=[["vary", "learning_rate"], ["vary", f"{several.OF_ADAPTER}r"]])
    form.edit({"sweep:method": "random", "sweep:count": "5"})
    assert form.button == ("Check the values of learning rate to start", False)
    form.edit({"sweep:learning_rate:low": "1e-4", "sweep:learning_rate:high": "1e-2"})
    form.edit({"sweep:adapter.r:low": "4", "sweep:adapter.r:high": "64"})
    assert form.button == ("Start 5 runs", True)
    form.start()
    with db.reading() as session:
        made = runs.listed(session)
        assert len(made) == 5
        assert all(1e-4 <= run.parameters["learning_rate"] <= 1e-2 for run in made)
        assert all(isinstance(run.adapter_parameters["r"], int) for run in made)


def test_each_adapter_of_a_sweep_gets_what_is_recommended_for_it(form: Form) -> None:
    form.edit({"parameters:save_steps": "7"}, act=[["vary", several.ADAPTER]])
    form.edit({"sweep:adapter:picked:full": "true"})
    form.start()
    suggest = techniques.get("sft").suggest
    with db.reading() as session:
        made = {run.adapter: run.parameters for run in runs.listed(session)}
    assert set(made) == {"full", "lora"}
    for adapter, settings in made.items():
        assert settings["learning_rate"] == suggest(adapter, 1_000_000)["learning_rate"]
        assert settings["save_steps"] == 7


@pytest.mark.parametrize(
    ("edits", "wrong"),
    [
        ({"sweep:learning_rate:values": ""}, "sweep:learning_rate"),
        ({"sweep:learning_rate:values": "0.1 fast"}, "sweep:learning_rate"),
        ({"sweep:learning_rate:values": "0.1 7"}, "sweep:learning_rate"),
        ({"sweep:method": "random", "sweep:learning_rate:low": "1"}, "sweep:learning_rate"),
        (
            {
                "sweep:method": "random",
                "sweep:learning_rate:low": "1e-5",
                "sweep:learning_rate:high": "0.1",
                "sweep:count": "100000",
            },
            "sweep:count",
        ),
    ],
)
def test_a_sweep_that_cannot_be_is_told(form: Form, edits: dict[str, str], wrong: str) -> None:
    form.edit(act=[["vary", "learning_rate"]]).edit(edits)
    assert form.answer["wrong"] == wrong
    assert form.button[1] is False
    form.edit(act=[["settle", "learning_rate"]])
    assert form.button == ("Start", True)


# ---- start --------------------------------------------------------------------------------------------


def test_start_launches_what_the_fields_say_and_leaves_for_the_run(form: Form) -> None:
    form.edit({"held_out": "3", "name": "first", "seed": "7", "parameters:learning_rate": "0.0123"})
    answer = form.start()
    assert answer.status_code == 201
    with db.reading() as session:
        run = runs.listed(session)[0]
        assert answer.json() == {"url": f"/run?id={run.id}"}
        assert (run.name, run.seed, run.parameters["learning_rate"]) == ("first", 7, 0.0123)
        assert run.held_out_id == 3
        assert drafts.get(session, form.draft) == {}


def test_a_refused_start_loses_nothing_and_says_why(form: Form) -> None:
    with db.transaction() as session:
        session.get_one(DatasetVersion, 3).sha256 = session.get_one(DatasetVersion, 1).sha256
    form.edit({"held_out": "3", "name": "mine", "parameters:learning_rate": "0.0123"})
    answer = form.start()
    assert (answer.status_code, answer.json()["field"]) == (422, "held_out")
    with db.reading() as session:
        assert runs.listed(session) == []
    assert (form.setup.name, form.setup.parameters) == ("mine", {"learning_rate": 0.0123})
    summary = form.browser.get("/parts/new-run-summary", params={"draft": form.draft}).text
    assert "only show what was memorised" in summary
    form.edit({"held_out": ""})
    assert "memorised" not in form.part("new-run-summary")


def test_a_clone_begins_as_its_run_and_lists_what_was_changed(form: Form) -> None:
    form.edit({"parameters:learning_rate": "0.0123"}, act=[["add-grader", "exact_match"]]).start()
    clone = Form(form.browser, clone="1")
    assert clone.value("parameters:learning_rate") == "0.0123"
    assert "0 settings changed from run 1" in clone.part("new-run-settings")
    assert [each.grader for each in clone.setup.graders] == ["exact_match"]
    clone.edit({"seed": "43"})
    assert "1 setting changed from run 1" in clone.part("new-run-settings")
    clone.edit({"graders:g1:weight": "0.5"})
    assert "exact_match × 0.5" in clone.part("new-run-settings")
    clone.start()
    with db.reading() as session:
        assert session.get_one(Run, 2).parent_id == 1


def test_a_run_is_continued_with_its_result_and_what_usually_follows(form: Form) -> None:
    form.edit().start()
    following = Form(form.browser, **{"from": "1"})
    head = following.part("new-run-head")
    assert "Continue from run 1" in head
    assert 'data-text="dpo"' in head
    assert following.setup.model == "run:1"
    assert following.setup.technique != "sft"
    with db.transaction() as session:
        session.get_one(Run, 1).state = State.SUCCEEDED
        session.add(Model(id=9, name="made", source="runs/1/result", run_id=1, base_id=1, parameters=5))
    assert Form(form.browser, **{"from": "1"}).setup.model == "9"


def test_a_reward_model_is_continued_as_the_reward_of_the_model_it_started_from(browser: TestClient) -> None:
    Form(browser, technique="reward_model", model="1", dataset="4").edit().start()
    following = Form(browser, **{"from": "1"})
    assert following.setup.model == "1"
    assert following.setup.technique == "ppo"
    assert following.setup.graders[0].parameters == {"model": "run:1"}
    assert following.edit({"dataset": "6"}).button == ("Start", True)
    assert re.search(r'Begins</dt><dd>when <a href="/run\?id=1">', following.part("new-run-summary"))


def test_a_recommendation_is_named_and_followed_for_the_technique_it_is_about(browser: TestClient) -> None:
    with db.transaction() as session:
        answers = {"main_gap": "preference_alignment", "phase_done": 2, "n_pairs": 5000}
        kept = recommendations.save(session, answers)
        number, start = kept.id, kept.result["start_params"]
        sources = [fact.source for fact in recommendations.card_of(kept).start_params]
    assert start, kept.result["technique"]
    form = Form(browser, technique=kept.result["technique"], recommendation=str(number), model="1")
    assert "The guide recommended" in form.part("new-run-head")
    assert "with the starting values of the guide" in form.all
    for name, value in start.items():
        assert float(form.value(f"parameters:{name}")) == value
    assert all(source in form.all for source in sources)
    form.edit({"technique": "sft", "dataset": "1"})
    assert "starting values" not in form.part("new-run-settings")
    form.start()
    with db.reading() as session:
        assert runs.listed(session)[0].recommendation_id == number


def test_an_address_that_names_what_is_not_there_is_told_in_words(browser: TestClient) -> None:
    for address in (
        {"clone": "99"},
        {"from": "99"},
        {"technique": "alchemy"},
        {"dataset": "99"},
        {"clone": "x"},
    ):
        assert browser.get("/parts/new-run-summary", params=address).status_code == 404


def test_names_of_datasets_models_and_runs_are_escaped(form: Form) -> None:
    evil = "<script>alert(1)</script>"
    with db.transaction() as session:
        session.get_one(DatasetVersion, 2).dataset.name = evil
        session.get_one(Model, 2).name = evil + "2"
    form.edit({"name": evil, "model": evil, "parameters:learning_rate": evil})
    form.edit(act=[["add-grader", "exact_match"]]).edit({"graders:g1:name": evil})
    assert "<script>" not in form.all
    assert "&lt;script&gt;" in form.all


def test_a_draft_of_an_earlier_version_still_opens(browser: TestClient) -> None:
    old = {"technique": "sft", "adapter": "lora", "model": "1", "dataset": "1", "parameters": {"gone": 1}}
    with db.transaction() as session:
        drafts.put(session, "run-000000000001", old)
    assert Form(browser, draft="run-000000000001").button == ("Start", True)


def test_the_page_stands_under_runs() -> None:
    assert (new_run.PAGE.path, new_run.PAGE.under) == ("/new-run", "/runs")


@pytest.fixture
def plan(form: Form) -> Iterator[Plan]:
    with db.reading() as session:
        yield Plan(session, form.setup)


def test_what_a_sweep_can_vary_begins_with_what_is_shown_first(plan: Plan) -> None:
    names = [each.name for each in plan.variable]
    assert names[:3] == ["seed", "adapter", "learning_rate"]
    assert len(names) == len(set(names))
