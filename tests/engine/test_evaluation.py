"""An evaluation goes through the run engine: queued, placed, answered by two contestants, done; and one that
was stopped goes on with what is missing."""

import json
from pathlib import Path
from typing import Any

from tests.running import SAMPLE, RunningStudio

FEW_SHOT = {
    "system": "Turn the medication direction into JSON.",
    "examples": [{"input": "take one tablet po daily", "output": "{}"}],
}


def launch(studio: RunningStudio, tmp_path: Path, **config: Any) -> int:
    path = tmp_path / "questions.jsonl"
    path.write_text("".join((SAMPLE / "test.jsonl").read_text().splitlines(keepends=True)[:40]))
    version = studio.upload(path)["id"]
    plain = {"model": "Tunesmith starter"}
    told = {"model": "Tunesmith starter", "name": "with an example", "prompting": FEW_SHOT}
    asked = {"contestants": [plain, told], "dataset": version, "graders": ["exact_match", "format"]} | config
    return int(studio.api.post("/api/evaluations", json=asked).raise_for_status().json()["id"])


def test_contestants_answer_the_same_questions_and_are_compared(
    studio: RunningStudio, tmp_path: Path
) -> None:
    number = launch(studio, tmp_path, items=8, samples=2, max_tokens=48)
    studio.finish(number)
    told = studio.api.get(f"/api/evaluations/{number}").json()
    assert told["state"] == "succeeded"
    assert told["contestants"] == ["Tunesmith starter", "with an example"]
    found = told["results"]
    assert found["questions"] == 8
    assert [cost["answers"] for cost in found["costs"]] == [24, 24]
    assert all(cost["seconds"] > 0 and cost["tokens"] > 0 for cost in found["costs"])
    of_match = [figure for figure in found["figures"] if figure["metric"] == "exact_match"]
    assert [figure["scored"] for figure in of_match] == [8, 8]
    assert of_match[0]["pass_1"]["low"] <= of_match[0]["pass_1"]["value"]
    assert of_match[0]["pass_8"] is None  # of two samples nobody knows
    (difference,) = [each for each in found["differences"] if each["metric"] == "exact_match"]
    assert difference["asked"] == 8


def test_one_that_was_stopped_goes_on_and_answers_nothing_twice(
    studio: RunningStudio, tmp_path: Path
) -> None:
    number = launch(studio, tmp_path, samples=16, max_tokens=64)
    studio.reach(number, 64)
    studio.api.post(f"/api/runs/{number}/stop").raise_for_status()
    studio.finish(number, state="cancelled")
    before = studio.api.get(f"/api/evaluations/{number}").json()["results"]["costs"]
    assert 64 <= sum(cost["answers"] for cost in before) < 1360
    studio.api.post(f"/api/runs/{number}/resume").raise_for_status()
    studio.finish(number)
    after = studio.api.get(f"/api/evaluations/{number}").json()["results"]["costs"]
    assert [cost["answers"] for cost in after] == [680, 680]


def test_a_prompt_version_is_what_its_model_was_asked_with(studio: RunningStudio, tmp_path: Path) -> None:
    project = studio.api.post("/api/sample/data").raise_for_status().json()["project"]
    version = studio.api.post("/api/prompts", json={"project": project, "prompting": FEW_SHOT}).json()["id"]
    model = {"model": "Tunesmith starter"}
    ways = [model, model | {"name": "said", "prompting": FEW_SHOT}, model | {"name": "v1", "prompt": version}]
    number = launch(studio, tmp_path, contestants=ways, items=6, max_tokens=32)
    studio.finish(number)
    (kept,) = studio.rows("SELECT parameters FROM run WHERE id = :run", run=number)
    assert [each["prompt"] for each in json.loads(kept[0])["contestants"]] == [None, None, version]
    answers: dict[int, list[str]] = {0: [], 1: [], 2: []}
    query = "SELECT contestant, answer FROM evaluation_item WHERE run_id = :run ORDER BY number"
    for contestant, answer in studio.rows(query, run=number):
        answers[contestant].append(answer)
    assert answers[2] == answers[1]
    assert answers[2] != answers[0]
