"""Saved comparisons and the best run over REST."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app import main
from studio import db, metrics
from studio.models import State
from tests import made_runs


@pytest.fixture
def api(database: Path) -> Iterator[TestClient]:
    with TestClient(main.build(), base_url="http://127.0.0.1") as client:
        yield client


def test_a_comparison_is_saved_renamed_changed_and_deleted(api: TestClient) -> None:
    made = api.post("/api/comparisons", json={"name": " Rates ", "query": "?all=1&runs=7,8&find=x"})
    assert made.status_code == 201
    assert made.json()["query"] == "runs=7,8&all=1"
    url = f"/api/comparisons/{made.json()['id']}"
    assert made.json()["url"] == f"/compare?saved={made.json()['id']}"
    changed = api.patch(url, json={"name": "Learning rates", "note": "Lower is better."}).json()
    assert (changed["name"], changed["query"]) == ("Learning rates", "runs=7,8&all=1")
    assert api.patch(url, json={"query": "runs=8,9"}).json()["note"] == "Lower is better."
    assert [each["name"] for each in api.get("/api/comparisons").json()] == ["Learning rates"]
    assert api.get(url).json()["query"] == "runs=8,9"
    assert api.delete(url).status_code == 204
    assert api.get(url).status_code == 404


@pytest.mark.parametrize(
    ("asked", "field"),
    [({"name": "", "query": "runs=1,2"}, "name"), ({"name": "x", "query": "all=1"}, "runs")],
)
def test_a_comparison_without_a_name_or_runs_is_refused(
    api: TestClient, asked: dict[str, str], field: str
) -> None:
    refused = api.post("/api/comparisons", json=asked)
    assert refused.status_code == 422
    assert refused.json()["field"] == field


def test_the_best_run_is_told_with_its_interval(api: TestClient) -> None:
    with db.transaction() as session:
        model, data = made_runs.base(session), made_runs.version(session)
        held, ids = made_runs.version(session, "held"), []
        for rate, seed in ((1e-3, 1), (1e-3, 2), (1e-4, 1)):
            settings = {"learning_rate": rate}
            run = made_runs.made(
                session, model, data, State.SUCCEEDED, held_out=held.id, seed=seed, parameters=settings
            )
            metrics.append(session, run.id, [{"step": 0, "time": 1e9, "data": {"eval_loss": 2.0}}])
            run.latest = {"eval_loss": 0.5 + 100 * rate + 0.01 * seed}
            ids.append(run.id)
    answer = api.get(f"/api/compare/standing?runs={','.join(map(str, ids))}").json()
    assert (answer["metric"], answer["better"], answer["why_not"]) == ("eval_loss", "lower", "")
    assert [row["runs"] for row in answer["rows"]] == [[ids[2]], ids[:2]]
    assert answer["rows"][0]["interval"] is None
    low, high = (answer["rows"][1]["interval"][end] for end in ("low", "high"))
    assert low < answer["rows"][1]["mean"] < high
    assert api.get("/api/compare/standing?runs=").status_code == 422
