"""The Models page and the card of one: what is known, where it came from, what came of it."""

from html import unescape
from pathlib import Path

import numpy as np
import orjson
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from safetensors.numpy import save_file

from app import api, errors, parts
from app.pages import model, models
from studio import db, runs, weights
from studio.datasets import library
from studio.models import Model, Run, State

NASTY = '<script>alert(1)</script>{{7*7}}<img src=x onerror="alert(1)">'


@pytest.fixture
def browser(database: Path) -> TestClient:
    """The fragments and the API without Gradio's pages, which take half a second to lay out."""
    app = FastAPI()
    errors.install(app)
    for router in (parts.router, *api.routers()):
        app.include_router(router)
    return TestClient(app, base_url="http://127.0.0.1")


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A folder that is a model: one tensor of 6 numbers, and its config."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    save_file({"w": np.zeros((2, 3), dtype=np.float32)}, folder / "model.safetensors")
    config = {"architectures": ["Qwen3ForCausalLM"], "max_position_embeddings": 2048}
    (folder / "config.json").write_bytes(orjson.dumps(config))
    return folder


def add(source: str | Path, **more: str) -> Model:
    with db.transaction() as session:
        return weights.add(session, str(source), **more)


def trained(tmp_path: Path, base: Model, name: str = "sums") -> Model:
    """What a finished run would leave: a run on one dataset version, and the model it made."""
    path = tmp_path / "rows.jsonl"
    path.write_text('{"prompt": "2+2?", "completion": "4"}\n')
    kept, report = library.prepare(path, path.name)
    with db.transaction() as session:
        version = library.add(session, kept, report, name=name)
        run = runs.launch(session, runs.RunConfig(name=f"{name} run", model=base.id, dataset=version.id))
        run.state, run.latest = State.SUCCEEDED, {"loss": 0.0312}
        made = Model(
            name=f"{name} model", source="runs/1/model", run_id=run.id, base_id=base.id, adapter="lora"
        )
        session.add(made)
        session.flush()
        return made


def part(browser: TestClient, name: str, **query: str | int) -> str:
    answer = browser.get(f"/parts/{name}", params=query)
    assert answer.status_code == 200, answer.text
    return unescape(answer.text)


def test_a_studio_without_models_says_where_they_come_from(browser: TestClient) -> None:
    said = part(browser, "models")
    assert "No models yet" in said
    assert 'data-post="/api/sample"' in said


def test_the_list_says_kind_size_context_and_licence(browser: TestClient, base: Path) -> None:
    add(base, licence="Apache-2.0")
    said = part(browser, "models")
    for words in ("tiny", "base", "Qwen3ForCausalLM", "2,048 tokens", "Apache-2.0"):
        assert words in said


def test_a_model_that_a_run_made_leads_to_that_run(browser: TestClient, base: Path, tmp_path: Path) -> None:
    made = trained(tmp_path, add(base))
    said = part(browser, "models")
    assert f'href="/run?id={made.run_id}"' in said
    assert "LoRA" in said


def test_a_folder_is_added_and_leads_to_its_card(browser: TestClient, base: Path) -> None:
    assert 'data-then="/model?id={id}"' in part(browser, "models-add")
    answer = browser.post("/api/models", json={"source": str(base), "name": ""})
    assert answer.status_code == 201
    assert "Qwen3ForCausalLM" in part(browser, "model", id=answer.json()["id"])


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"config.json": "{}"}, "no .safetensors file"),
        ({"config.json": "{}", "pytorch_model.bin": "x"}, "no .safetensors file"),
        ({"model.safetensors": "x"}, "no config.json"),
    ],
)
def test_a_folder_that_is_no_model_is_refused_with_the_next_step(
    browser: TestClient, tmp_path: Path, files: dict[str, str], words: str
) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    answer = browser.post("/api/models", json={"source": str(folder)})
    assert answer.status_code == 422
    assert words in answer.json()["error"]
    assert answer.json()["hint"]


def test_the_card_chains_base_dataset_version_and_run(
    browser: TestClient, base: Path, tmp_path: Path
) -> None:
    first = add(base)
    made = trained(tmp_path, first)
    said = part(browser, "model", id=made.id).partition("Where it came from")[2]
    places = [
        said.index(words) for words in (f'"/model?id={first.id}"', '"/dataset?id=1&version=1"', '"/run?id=1"')
    ]
    assert places == sorted(places)
    assert said.index("sums model") > places[-1]


def test_a_model_trained_from_a_trained_one_shows_the_whole_line(
    browser: TestClient, base: Path, tmp_path: Path
) -> None:
    second = trained(tmp_path, trained(tmp_path, add(base)), name="harder sums")
    said = part(browser, "model", id=second.id)
    for words in ("tiny", "sums · v1", "sums run", "sums model", "harder sums · v1", "harder sums run"):
        assert words in said.partition("Where it came from")[2]


def test_a_model_that_names_itself_as_its_base_has_a_line_that_ends(database: Path) -> None:
    with db.transaction() as session:
        odd = Model(name="odd", source="someone/odd")
        session.add(odd)
        session.flush()
        odd.base_id = odd.id
    with db.reading() as session:
        assert len(model.line(session, session.get_one(Model, odd.id))) == 1


def test_the_card_offers_training_chat_beside_the_base_and_download(
    browser: TestClient, base: Path, tmp_path: Path, database: Path
) -> None:
    first = add(base)
    made = trained(tmp_path, first)
    (database / "runs/1/model").mkdir(parents=True)
    said = part(browser, "model", id=made.id)
    assert f'href="/new-run?model={made.id}"' in said
    assert f'href="/try?models={first.id},{made.id}"' in said
    assert f'href="/api/models/{made.id}/download"' in said


@pytest.mark.parametrize(
    ("kind", "onward"),
    [("reward", "&technique=reward_model"), ("embedding", "&technique=embedding"), ("classifier", None)],
)
def test_a_model_that_does_not_talk_offers_no_chat_and_only_techniques_that_take_it(
    browser: TestClient, database: Path, kind: str, onward: str | None
) -> None:
    with db.transaction() as session:
        made = Model(name="scorer", source="x/scorer", kind=kind)
        session.add(made)
    said = part(browser, "model", id=made.id)
    assert "/try?" not in said
    assert f'<span class="tag">{kind}</span>' in said
    assert (f'href="/new-run?model={made.id}{onward}"' in said) is bool(onward)
    assert ("/new-run?" in said) is bool(onward)


def test_a_hub_model_says_that_it_is_not_fetched_yet(browser: TestClient) -> None:
    said = part(browser, "model", id=add("someone/tiny").id)
    assert "Not fetched yet" in said
    assert "/download" not in said


def test_the_card_lists_the_runs_that_started_from_it(
    browser: TestClient, base: Path, tmp_path: Path
) -> None:
    first = add(base)
    trained(tmp_path, first)
    said = part(browser, "model", id=first.id).partition("What was made from it")[2]
    assert "sums run" in said
    assert "sums model" in said


def test_the_card_of_a_reward_model_lists_the_runs_that_follow_it(
    browser: TestClient, base: Path, tmp_path: Path
) -> None:
    first = add(base)
    made, other = trained(tmp_path, first), trained(tmp_path, first, "later")
    with db.transaction() as session:
        session.get_one(Model, made.id).kind = "reward"
        later = session.get_one(Run, other.run_id)
        later.graders = [{"grader": "reward_model", "parameters": {"model": str(made.id)}}]
    assert "later run" in part(browser, "model", id=made.id).partition("What was made from it")[2]


def test_a_model_named_like_markup_is_only_text(browser: TestClient, base: Path) -> None:
    made = add(base, name=NASTY, note=NASTY)
    for name, query in (("models", {}), ("model", {"id": made.id})):
        said = browser.get(f"/parts/{name}", params=query).text
        assert "<script" not in said
        assert "<img" not in said
        assert "{{7*7}}" in said


def test_a_model_that_is_not_there_is_said(browser: TestClient) -> None:
    answer = browser.get("/parts/model", params={"id": 99})
    assert answer.status_code == 404
    assert "There is no model 99." in answer.text


def test_the_models_page_has_its_place_in_the_navigation() -> None:
    assert models.PAGE.in_nav
    assert model.PAGE.under == models.PAGE.path
