"""The REST API, over a real database: datasets in and out, and every refusal in words."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app import main
from studio import db, metrics, sample
from studio.datasets import library


@pytest.fixture
def api(database: Path) -> Iterator[TestClient]:
    with TestClient(main.build(), base_url="http://127.0.0.1") as client:
        yield client


def upload(api: TestClient, file: str, content: bytes, **query: Any) -> Any:
    return api.post("/api/datasets", params={"file": file, **query}, content=content)


ROWS = b"".join(b'{"prompt": "p%d", "completion": "c%d"}\n' % (n, n) for n in range(50))


def test_a_dataset_is_uploaded_paged_split_downloaded_and_deleted(api: TestClient, database: Path) -> None:
    made = upload(api, "my file.jsonl", ROWS).json()
    assert made["title"] == "my file · v1"
    assert made["rows"] == 50
    page = api.get(f"/api/versions/{made['id']}/rows", params={"start": 48, "count": 10}).json()
    assert [row["prompt"] for row in page["rows"]] == ["p48", "p49"]
    parts = api.post(f"/api/versions/{made['id']}/split", json={"share": 0.2}).json()
    assert parts["train"]["rows"] + parts["held_out"]["rows"] == 50
    assert parts["held_out"]["rows"] == pytest.approx(10, abs=1)
    assert api.get(f"/api/versions/{made['id']}/download").content.count(b"\n") == 50
    assert api.delete(f"/api/datasets/{made['dataset_id']}").status_code == 204
    assert api.get("/api/datasets").json() == []
    assert not list((database / "datasets").iterdir())


def test_the_same_rows_are_not_kept_twice(api: TestClient, database: Path) -> None:
    first, second = upload(api, "a.jsonl", ROWS).json(), upload(api, "a.jsonl", ROWS).json()
    assert first["id"] == second["id"]
    assert len(list((database / "datasets").iterdir())) == 1
    assert upload(api, "a.jsonl", ROWS + ROWS[:40]).json()["number"] == 2


def test_a_bad_file_is_refused_with_its_line_and_nothing_stays(api: TestClient, database: Path) -> None:
    answer = upload(api, "bad.jsonl", b"{oops}\n")
    assert answer.status_code == 422
    assert "line 1" in answer.json()["error"]
    assert answer.json()["hint"]
    assert not list((database / "uploads").iterdir())
    assert not list((database / "datasets").iterdir())


@pytest.mark.parametrize(
    "name", ["../../etc/passwd.jsonl", "/etc/cron.d/x.jsonl", "a\x00b.jsonl", "..\\x.jsonl"]
)
def test_a_file_name_leads_nowhere(api: TestClient, database: Path, name: str) -> None:
    answer = upload(api, name, ROWS, name="safe")
    assert answer.status_code == 201, answer.text
    outside = [p for p in database.parent.rglob("*") if p.is_file() and not p.is_relative_to(database)]
    assert outside == []


def test_a_file_over_the_limit_is_refused_before_it_is_kept(
    api: TestClient, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from studio import settings

    monkeypatch.setattr(settings.get(), "max_upload", 100)
    assert "larger than" in upload(api, "a.jsonl", ROWS).json()["error"]
    assert not list((database / "uploads").iterdir())


def test_another_format_can_be_chosen_afterwards(api: TestClient) -> None:
    rows = b'{"query": "q", "response": "a", "category": "c"}\n'
    version = upload(api, "e.jsonl", rows).json()
    again = api.post(f"/api/versions/{version['id']}/reread", json={"format": "prompt_completion"}).json()
    assert again["format"] == "prompt_completion"


def test_columns_can_be_named_and_a_refusal_lists_its_lines(api: TestClient) -> None:
    table = b"Erste;Zweite\nwas;das\nwer;der\n"
    assert upload(api, "t.csv", table).status_code == 422
    named = upload(api, "t.csv", table, columns='{"prompt": "Erste", "completion": "Zweite"}').json()
    assert named["rows"] == 2
    assert upload(api, "t.csv", table, columns="[1]").json()["field"] == "columns"
    refused = upload(api, "bad.jsonl", b'{"prompt": "x"}\n' * 3, format="alpaca")
    assert [each["line"] for each in refused.json()["lines"]] == [1, 2, 3]


def test_a_datasets_name_means_its_newest_part_for_training(api: TestClient) -> None:
    made = upload(api, "a.jsonl", ROWS).json()
    api.post(f"/api/versions/{made['id']}/split", json={"share": 0.2})
    with db.reading() as session:
        assert library.find_version(session, "a").split == "train"
        assert library.find_version(session, "a@3").split == "held-out"


def test_the_guide_recommends_and_refuses_unknown_answers(api: TestClient) -> None:
    answer = api.post("/api/guide", json={"phase_done": 0}).json()
    assert answer["technique"] == "prompt_engineering"
    assert api.post("/api/guide", json={"stakes": "huge"}).status_code == 422
    assert len(api.get("/api/guide/questions").json()) == 8


def test_a_run_is_launched_cloned_compared_and_stopped(api: TestClient) -> None:
    sample.load()
    config = {
        "model": sample.STARTER_NAME,
        "dataset": "Medication directions: labelled",
        "parameters": {"max_steps": 5},
    }
    first = api.post("/api/runs", json=config).json()
    clone = api.get(f"/api/runs/{first['id']}/config").json()
    clone["parameters"]["learning_rate"] = 0.1
    second = api.post("/api/runs", json=clone).json()
    table = api.get("/api/compare", params={"runs": f"{first['id']},{second['id']}"}).json()
    assert [row["setting"] for row in table["settings"]] == ["learning_rate"]
    assert api.post(f"/api/runs/{first['id']}/stop").json()["state"] == "cancelled"
    assert api.post(f"/api/runs/{first['id']}/stop").status_code == 409
    empty = api.get("/api/metrics", params={"run": first["id"]}).json()
    assert empty["series"][str(first["id"])] == {}
    with db.transaction() as session:
        metrics.append(session, first["id"], [{"step": 1, "time": 0.0, "data": {"mean_token_accuracy": 0.2}}])
    for path in ("/api/metrics", "/api/metrics/charts"):
        (chart,) = api.get(path, params={"run": first["id"]}).json()["charts"]
        assert chart["healthy"]["words"] == "above 0.3"
    assert api.get("/api/runs/999").status_code == 404
    assert api.post("/api/runs", json={"nonsense": 1}).status_code == 422


def test_answers_with_many_points_are_packed_where_that_is_understood(api: TestClient) -> None:
    sample.load()
    run = api.post(
        "/api/runs", json={"model": sample.STARTER_NAME, "dataset": "Medication directions: labelled"}
    ).json()
    with db.transaction() as session:
        rows = [{"step": step, "time": 0.0, "data": {"loss": 1 / (step + 3)}} for step in range(200)]
        metrics.append(session, run["id"], rows)
    asked = {"run": run["id"]}
    packed = api.get("/api/metrics", params=asked, headers={"Accept-Encoding": "gzip"})
    plain = api.get("/api/metrics", params=asked, headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"]) / 2
    assert packed.json() == plain.json()
    short = api.get("/api/metrics", params=asked | {"after": plain.json()["cursor"]})
    assert "content-encoding" not in short.headers


def test_chat_refuses_what_makes_no_sense(api: TestClient) -> None:
    sample.load()
    model = api.get("/api/models").json()[0]["id"]
    for question in (
        {"models": [model], "message": " "},
        {"models": [], "message": "x"},
        {"models": [model], "message": "x", "options": {"temperature": 9}},
        {"models": [model], "message": "x", "options": {"evil": 1}},
    ):
        assert api.post("/api/chat", json=question).status_code == 422, question
    asked = api.post("/api/chat", json={"models": [model], "message": "x"}).json()
    again = api.post("/api/chat", json={"models": [model], "message": "y", "chat": asked["chat"]})
    assert again.status_code == 409, "the first question is not answered yet"


def test_the_api_describes_itself(api: TestClient) -> None:
    paths = api.get("/api/openapi.json").json()["paths"]
    for path in ("/api/datasets", "/api/runs", "/api/metrics", "/api/guide", "/api/chat", "/api/models"):
        assert path in paths
