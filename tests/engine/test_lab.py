"""A reward lab goes through the run engine like a training: queued, placed, answered, done."""

import json
from pathlib import Path

from tests.running import SAMPLE, RunningStudio


def test_a_lab_answers_scores_and_says_whether_there_is_a_signal(
    studio: RunningStudio, tmp_path: Path
) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_text("".join((SAMPLE / "prompts.jsonl").read_text().splitlines(keepends=True)[:40]))
    version = studio.upload(path)["id"]
    config = {
        "model": "Tunesmith starter",
        "dataset": version,
        "graders": [
            {"grader": "exact_match"},
            {"grader": "contains", "name": "has a dose", "weight": 0.1, "parameters": {"phrases": ["dose"]}},
        ],
        "prompts": 6,
        "samples": 4,
        "max_tokens": 64,
    }
    answer = studio.api.post("/api/labs", json=config).raise_for_status().json()
    studio.finish(answer["id"])
    told = studio.api.get(f"/api/labs/{answer['id']}").json()
    assert told["state"] == "succeeded"
    assert told["findings"]["answers"] == 24
    assert told["findings"]["groups"] == 6
    assert told["findings"]["verdict"]
    assert len(told["best"]) == 10
    assert set(told["report"]["seconds_a_call"]) == {"answering", "exact_match", "has a dose"}
    assert told["best"][0]["scores"]["reward"] >= told["worst"][0]["scores"]["reward"]
    made = studio.api.post(f"/api/labs/{answer['id']}/pairs").raise_for_status().json()
    assert made["shape"] == "preference"
    rows = studio.api.get(f"/api/versions/{made['id']}/rows").json()["rows"]
    assert all(row["chosen"] != row["rejected"] for row in rows)
    assert {row["meta"]["lab"] for row in rows} == {answer["id"]}

    (tmp_path / "lab.json").write_text(json.dumps(config))
    said = studio.tunesmith("run", "lab", str(tmp_path / "lab.json")).stdout
    assert "verdict" in said
    best, worst = said.split("Best answers\n")[1].split("Worst answers\n")
    for lines in (best.split("\n\n")[0], worst.strip()):
        assert lines.splitlines()[0].split() == ["reward", "prompt", "answer"]
        assert len(lines.splitlines()) == 11
