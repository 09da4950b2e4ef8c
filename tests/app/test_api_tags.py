"""Tags over REST, and where pages show and find them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app import main
from studio import db
from tests import made_runs


@pytest.fixture
def api(database: Path) -> Iterator[TestClient]:
    with TestClient(main.build(), base_url="http://127.0.0.1") as client:
        yield client


@pytest.fixture
def run(api: TestClient) -> int:
    with db.transaction() as session:
        return made_runs.made(session, made_runs.base(session), made_runs.version(session), name="alpha").id


def test_tags_are_put_added_and_taken_away(api: TestClient, run: int) -> None:
    put = api.put(f"/api/runs/{run}/tags", json={"tags": "pilot, night"})
    assert put.json()["tags"] == ["pilot", "night"]
    changed = api.post(f"/api/runs/{run}/tags", json={"add": ["big"], "drop": ["night"]})
    assert changed.json()["tags"] == ["pilot", "big"]
    several = api.post("/api/runs/tags", json={"runs": [run], "drop": "big"})
    assert several.json()["runs"] == [{"id": run, "tags": ["pilot"]}]
    assert api.get(f"/api/runs/{run}").json()["tags"] == ["pilot"]


def test_a_tag_that_is_too_long_is_refused_in_plain_words(api: TestClient, run: int) -> None:
    refused = api.put(f"/api/runs/{run}/tags", json={"tags": ["x" * 50]})
    assert refused.status_code == 422
    assert "too long for a tag" in refused.json()["error"]
    assert api.put("/api/runs/99/tags", json={"tags": []}).status_code == 404


def test_runs_are_shown_with_their_tags_and_found_by_them(api: TestClient, run: int) -> None:
    api.put(f"/api/runs/{run}/tags", json={"tags": ["<b>bold"]})
    text = api.get("/parts/runs?q=tag:<b>bold").text
    assert "alpha" in text
    assert "&lt;b&gt;bold" in text
    assert "No run matches" in api.get("/parts/runs?q=tag:other").text
    assert "Tag 1 run" in api.get(f"/parts/runs?pick={run}").text
    assert f'id="tags-{run}"' in api.get(f"/parts/run-header?id={run}").text
