"""The Datasets page: what is listed, what an empty studio teaches, and that names are never markup."""

from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import orjson
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app import api, errors, parts
from app.pages import datasets
from studio import db, runs
from studio.datasets import library, shapes
from studio.models import Dataset, DatasetVersion, Model

CHAT = [
    {"messages": [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}]},
    {"messages": [{"role": "user", "content": "3+3?"}, {"role": "assistant", "content": "6"}]},
]
NASTY = '<script>alert(1)</script> <img src=x onerror="alert(1)"> {{7*7}} ${7*7} שלום'


@pytest.fixture
def browser(database: Path) -> TestClient:
    """The fragments and the API without Gradio's pages, which take half a second to lay out."""
    app = FastAPI()
    errors.install(app)
    for router in (parts.router, *api.routers()):
        app.include_router(router)
    return TestClient(app, base_url="http://127.0.0.1")


def store(folder: Path, rows: list[dict], name: str, **more: object) -> DatasetVersion:
    path = folder / "upload.jsonl"
    path.write_bytes(b"\n".join(orjson.dumps(row) for row in rows))
    kept, report = library.prepare(path, "upload.jsonl")
    with db.transaction() as session:
        return library.add(session, kept, report, name=name, original="upload.jsonl", **more)  # type: ignore[arg-type]


def part(browser: TestClient, name: str, **query: str | int) -> str:
    answer = browser.get(f"/parts/{name}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.text


def test_the_page_has_a_drop_zone_that_takes_every_kind_of_file_we_can_read(browser: TestClient) -> None:
    said = part(browser, "dataset-drop")
    assert 'data-upload="/api/datasets"' in said
    accepted = said.partition('data-accept="')[2].partition('"')[0].split(",")
    assert {".jsonl", ".json", ".csv", ".tsv", ".parquet", ".txt", ".md", ".gz"} <= set(accepted)


def test_the_drop_zone_passes_on_how_the_file_is_to_be_read(browser: TestClient) -> None:
    said = part(browser, "dataset-drop", **{"as": "prompt_completion", "column.prompt": "Frage & Co"})
    address = urlsplit(unescape(said.partition('data-upload="')[2].partition('"')[0]))
    asked = parse_qs(address.query)
    assert asked["format"] == ["prompt_completion"]
    assert orjson.loads(asked["columns"][0]) == {"prompt": "Frage & Co"}


def test_an_empty_studio_offers_the_sample_and_opens_the_examples(browser: TestClient) -> None:
    assert "No datasets yet" in part(browser, "datasets")
    assert 'data-post="/api/sample"' in part(browser, "datasets")
    assert "<details" in (examples := part(browser, "dataset-examples"))
    assert " open>" in examples


def test_the_examples_are_folded_away_once_there_is_a_dataset(browser: TestClient, tmp_path: Path) -> None:
    store(tmp_path, CHAT, "sums")
    assert " open>" not in part(browser, "dataset-examples")


@pytest.mark.parametrize("shape", shapes.SHAPES.values(), ids=lambda shape: shape.name)
def test_every_shape_has_an_example_file_that_is_read_as_that_shape(
    browser: TestClient, tmp_path: Path, shape: shapes.Shape
) -> None:
    link = (
        part(browser, "dataset-examples")
        .partition(f'download="{shape.name}.jsonl"')[0]
        .rpartition('href="')[2]
    )
    path = tmp_path / f"{shape.name}.jsonl"
    path.write_text(unquote(link.partition(",")[2].rstrip('" ')))
    _, report = library.prepare(path, path.name)
    assert (report.shape, report.rows, report.bad_row_count) == (shape.name, 1, 0)


def test_the_list_says_shape_rows_findings_and_how_many_runs_used_it(
    browser: TestClient, tmp_path: Path
) -> None:
    version = store(tmp_path, [*CHAT, CHAT[0]], "sums")
    with db.transaction() as session:
        session.add(Model(name="tiny", source="someone/tiny"))
        for _ in range(2):
            runs.launch(session, runs.RunConfig(model="tiny", dataset=version.id))
    said = part(browser, "datasets")
    assert f'href="/dataset?id={version.dataset_id}"' in said
    for words in ("sums", "Chat", "2 runs", "1 warning"):
        assert words in said


def test_a_run_that_learns_from_and_is_measured_on_one_dataset_counts_once(
    browser: TestClient, tmp_path: Path
) -> None:
    train = store(tmp_path, CHAT, "sums", split="train")
    held_out = store(tmp_path, CHAT[:1], "sums", split="held-out")
    with db.transaction() as session:
        session.add(Model(name="tiny", source="someone/tiny"))
        runs.launch(session, runs.RunConfig(model="tiny", dataset=train.id, held_out=held_out.id))
    assert ">1 run<" in part(browser, "datasets")


def test_the_list_shows_the_newest_version_that_can_be_trained_on(database: Path, tmp_path: Path) -> None:
    store(tmp_path, CHAT, "sums", split="train")
    store(tmp_path, CHAT[:1], "sums", split="held-out")
    with db.reading() as session:
        leading = datasets.leading(session.get_one(Dataset, 1))
    assert leading is not None
    assert leading.split == "train"


def test_a_dataset_named_like_markup_is_only_text(browser: TestClient, tmp_path: Path) -> None:
    store(tmp_path, CHAT, NASTY)
    said = part(browser, "datasets")
    assert "<script>" not in said
    assert "<img" not in said
    assert "&lt;script&gt;alert(1)" in said
    assert "{{7*7}} ${7*7} שלום" in said


def test_a_file_of_which_no_row_can_be_read_is_refused_and_nothing_is_stored(browser: TestClient) -> None:
    answer = browser.post("/api/datasets", params={"file": "bad.jsonl"}, content=b'{"a": 1}\n{"b": 2}\n')
    assert answer.status_code == 422
    assert answer.json()["hint"]
    assert "No datasets yet" in part(browser, "datasets")
