"""Settings against metrics and win rates over REST."""

from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app import errors
from app.api import relations
from studio import db
from studio.models import Sample, State
from tests import made_runs


@pytest.fixture
def api(database: Path) -> TestClient:
    app = FastAPI()
    errors.install(app)
    app.include_router(relations.router)
    with db.transaction() as session:
        model, data = made_runs.base(session), made_runs.version(session)
        for number, rate in enumerate((1e-5, 1e-3)):
            settings: dict[str, Any] = {"parameters": {"learning_rate": rate}}
            run = made_runs.made(
                session, model, data, State.SUCCEEDED, losses=[2.0, 0.5 + number], **settings
            )
            for prompt in range(4):
                asked = {"prompt": f"{prompt}", "answer": "a", "reference": "a"}
                session.add(
                    Sample(run_id=run.id, step=2, number=prompt, scores={"exact_match": number}, **asked)
                )
    return TestClient(app)


def test_axes_have_values_and_places(api: TestClient) -> None:
    read = api.get("/api/compare/relations?runs=1,2").json()
    assert [(axis["key"], axis["values"], axis["places"]) for axis in read["axes"]] == [
        ("learning_rate", [1e-5, 1e-3], [0.0, 1.0])
    ]
    assert (read["metric"]["key"], read["metric"]["values"], read["better"]) == ("loss", [0.5, 1.5], "lower")
    assert read["apart_by_seed"] == [[1], [2]]
    best = api.get("/api/compare/relations?runs=1,2&how=best").json()
    assert best["metric"]["values"] == [0.5, 1.5]


def test_win_rates_are_counted_against_the_first_run(api: TestClient) -> None:
    read = api.get("/api/compare/win-rates?runs=1,2").json()
    assert (read["score"], read["against"]) == ("exact_match", 1)
    (rate,) = read["rates"]
    assert (rate["run"], rate["wins"], rate["losses"], rate["verdict"]) == (2, 4, 0, "better")
    assert rate["rate"]["value"] == 1.0


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("relations?runs=1", 422),
        ("relations?runs=1,9", 404),
        ("relations?runs=1,2&how=median", 422),
        ("win-rates?runs=1,2&score=bleu", 422),
    ],
)
def test_what_cannot_be_meant_is_refused(api: TestClient, address: str, status: int) -> None:
    answer = api.get(f"/api/compare/{address}")
    assert answer.status_code == status
    assert answer.json()["hint"]
