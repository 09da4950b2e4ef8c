"""The report of a comparison as a file: self-contained, escaped, named after its runs; and as a PDF."""

import io
from html.parser import HTMLParser
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app import errors
from app.api import reports
from studio import db
from studio.comparison import keeping
from studio.models import Sample, State
from tests import made_runs

LOADING = {"src", "srcset", "href", "xlink:href", "data", "poster", "action"}


class Reader(HTMLParser):
    """Every tag and attribute of a page, and its words."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[str] = []
        self.loading: list[str] = []
        self.open: list[str] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loading += [f"{tag} {name}={value}" for name, value in attrs if name in LOADING]
        if tag not in {"meta", "br", "rect", "line", "path", "circle"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in {"rect", "line", "path", "circle"}:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.fixture
def api(database: Path) -> TestClient:
    app = FastAPI()
    errors.install(app)
    app.include_router(reports.router)
    with db.transaction() as session:
        model, data = made_runs.base(session), made_runs.version(session)
        for number in range(3):
            run = made_runs.made(
                session,
                model,
                data,
                State.SUCCEEDED,
                losses=[2.0, 1.0 - number / 10],
                name=f"<script>alert({number})</script>",
                parameters={"learning_rate": 10.0 ** -(number + 3)},
            )
            asked = {"prompt": "see https://example.org/<b>", "answer": "<img src=x>", "reference": "y"}
            session.add(Sample(run_id=run.id, step=2, number=0, scores={"exact_match": number % 2}, **asked))
    return TestClient(app)


def test_the_html_is_whole_and_loads_nothing(api: TestClient) -> None:
    answer = api.get("/api/compare/report.html?runs=1,2,3")
    assert answer.status_code == 200
    page = Reader(answer.text)
    assert page.open == []
    assert page.loading == []
    assert not {"script", "link", "img", "iframe", "object", "b"} & set(page.tags)
    assert page.tags.count("svg") == 2
    assert "url(" not in answer.text
    assert "@import" not in answer.text
    assert "prefers-color-scheme: dark" in answer.text
    assert "<script>alert(1)</script>" in page.words
    assert "https://example.org/<b>" in page.words


def test_files_are_named_after_their_runs(api: TestClient) -> None:
    for kind in ("html", "pdf"):
        answer = api.get(f"/api/compare/report.{kind}?runs=2,1")
        assert f'filename="comparison-runs-2-1.{kind}"' in answer.headers["content-disposition"]
    assert reports.name_of(list(range(1, 21))) == "runs-1-2-3-4-5-6-7-8-and-12-more"


def test_the_pdf_says_the_same(api: TestClient) -> None:
    pypdf = pytest.importorskip("pypdf")
    answer = api.get("/api/compare/report.pdf?runs=1,2,3")
    assert answer.content.startswith(b"%PDF-")
    pages = pypdf.PdfReader(io.BytesIO(answer.content)).pages
    text = " ".join(page.extract_text() for page in pages)
    for words in ("Comparison of 3 runs", "Curves: Loss", "Learning rate", "not told apart", "Page 1 of"):
        assert words in text


def test_a_saved_comparison_brings_its_runs_its_name_and_its_note(api: TestClient) -> None:
    with db.transaction() as session:
        kept = keeping.keep(session, "runs=1,3", name="Which rate?", note="Slow <wins>").id
    answer = api.get(f"/api/compare/report.html?saved={kept}")
    page = Reader(answer.text)
    assert "Which rate?" in page.words
    assert "Slow <wins>" in page.words
    assert "comparison-runs-1-3.html" in answer.headers["content-disposition"]
    assert api.get("/api/compare/report.html?saved=99").status_code == 404


@pytest.mark.parametrize(("runs", "status"), [("1", 422), ("", 422), ("1,99", 404)])
def test_too_few_runs_or_lost_ones_are_said(api: TestClient, runs: str, status: int) -> None:
    answer = api.get(f"/api/compare/report.html?runs={runs}")
    assert answer.status_code == status
    assert answer.json()["error"]
