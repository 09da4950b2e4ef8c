"""Graders over REST and at the command line: listed, tried on one answer, taken over from other services."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from fastapi.testclient import TestClient

from app import cli, main
from studio import graders

EQUAL = {
    "type": "string_check",
    "name": "equal",
    "operation": "eq",
    "input": "{{sample.output_text}}",
    "reference": "{{item.wanted}}",
}
LAMBDA = """def lambda_handler(event, context):
    return [{"id": sample["id"], "aggregate_reward_score": 1} for sample in event]
"""


@pytest.fixture
def api(database: Path) -> Iterator[TestClient]:
    with TestClient(main.build(), base_url="http://127.0.0.1") as client:
        yield client


@pytest.fixture
def tunesmith(monkeypatch: pytest.MonkeyPatch) -> Any:
    def call(*words: str) -> Result:
        monkeypatch.setattr("sys.argv", ["tunesmith", *words])
        return CliRunner().invoke(cli.main, list(words), catch_exceptions=False)

    return call


def attempt(api: TestClient, grader: str, answer: str, **more: Any) -> Any:
    return api.post("/api/graders/try", json={"grader": grader, "answer": answer, **more})


def test_every_grader_is_listed_with_its_settings(api: TestClient) -> None:
    listed = api.get("/api/graders").json()
    assert [grader["name"] for grader in listed] == [grader.name for grader in graders.all()]
    assert all(grader["title"] and grader["help"] and grader["group"] for grader in listed)
    numeric = api.get("/api/graders/numeric").json()
    assert numeric["parameters"]["properties"]["absolute"]["title"] == "Tolerance"
    assert (numeric["low"], numeric["high"], numeric["needs_worker"]) == (0, 1, False)
    assert api.get("/api/graders/judge").json()["needs_worker"]
    assert api.get("/api/graders/magic").status_code == 404


def test_an_answer_is_tried_with_its_row_and_prompt(api: TestClient) -> None:
    assert attempt(api, "numeric", "about 3", reference="3").json() == {"score": 1, "note": ""}
    nothing = attempt(api, "numeric", "about 3").json()
    assert nothing["score"] is None
    assert nothing["note"]
    settings = {"json_schema": {"type": "array"}}
    assert attempt(api, "json_schema", "[1]", parameters=settings).json()["score"] == 1
    row = {"tool_calls": [{"name": "find", "arguments": {"q": 1}}]}
    said = [{"role": "assistant", "content": "", "tool_calls": row["tool_calls"]}]
    assert attempt(api, "tool_calls", "", row=row, completion=said).json()["score"] == 1
    assert attempt(api, "soft_overlong", "x", tokens=10_000).json()["score"] == -1
    template = {"input": "{{ item.messages[0].content }}", "reference": "Why?"}
    assert attempt(api, "string_check", "x", prompt="Why?", parameters=template).json()["score"] == 1


@pytest.mark.parametrize(
    ("wish", "status", "words", "field"),
    [
        ({"grader": "magic"}, 404, "no grader", ""),
        ({"grader": "judge"}, 409, "only a worker loads", "grader"),
        ({"grader": "regex"}, 422, "no pattern", "pattern"),
        ({"grader": "regex", "parameters": {"patern": "x"}}, 422, "did you mean", "patern"),
        ({"grader": "http", "parameters": {"address": "file:///etc/passwd"}}, 422, "no address", "address"),
    ],
)
def test_what_cannot_be_tried_is_refused_in_words(
    api: TestClient, wish: dict[str, Any], status: int, words: str, field: str
) -> None:
    refused = api.post("/api/graders/try", json={"answer": "x", **wish})
    assert refused.status_code == status
    assert words in refused.json()["error"]
    assert refused.json()["hint"]
    assert refused.json().get("field", "") == field


def test_graders_of_other_services_become_graders_of_a_run(api: TestClient) -> None:
    (taken,) = api.post("/api/graders/import", content=json.dumps(EQUAL)).json()
    assert (taken["grader"], taken["name"], taken["weight"]) == ("string_check", "equal", 1)
    again = attempt(api, taken["grader"], "a", parameters=taken["parameters"], row={"wanted": "a"})
    assert again.json()["score"] == 1
    (program,) = api.post("/api/graders/import", params={"kind": "bedrock"}, content=LAMBDA).json()
    assert program["grader"] == "python"
    assert attempt(api, "python", "a", parameters=program["parameters"]).json()["score"] == 1
    refused = api.post("/api/graders/import", params={"kind": "openai"}, content=LAMBDA)
    assert refused.status_code == 422
    assert "no JSON" in refused.json()["error"]
    large = api.post("/api/graders/import", content=b" " * (3 * 2**20))
    assert large.status_code == 422
    assert "larger than" in large.json()["error"]


def test_the_command_line_lists_tries_and_imports(tunesmith: Any, tmp_path: Path) -> None:
    assert {each["name"] for each in json.loads(tunesmith("grader", "list", "--json").stdout)} >= {"numeric"}
    tried = tunesmith(
        "grader", "try", "numeric", "3.2", "--reference", "3", "--set", "absolute=0.5", "--json"
    )
    assert json.loads(tried.stdout) == {"score": 1.0, "note": ""}
    row, document = tmp_path / "row.json", tmp_path / "grader.json"
    row.write_text('{"reference_answer": {"a": 1, "b": 2}}')
    tried = tunesmith("grader", "try", "json_fields", '{"a": 1, "b": 3}', "--row", str(row), "--json")
    assert json.loads(tried.stdout)["score"] == 0.5
    document.write_text(json.dumps(EQUAL))
    taken = json.loads(tunesmith("grader", "import", str(document)).stdout)
    assert taken[0]["grader"] == "string_check"
    refused = tunesmith("grader", "try", "regex", "x")
    assert refused.exit_code == 2
    assert "no pattern" in refused.stderr
    assert tunesmith("grader", "try", "regex", "x", "--set", "pattern").exit_code == 2
