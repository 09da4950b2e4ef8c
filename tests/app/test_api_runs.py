"""Runs over REST and the command line: sweeps, chains, scripts, and what is refused."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient

from app import cli, main
from studio import attempts, db, sample


@pytest.fixture
def api(database: Path) -> Iterator[TestClient]:
    sample.load()
    with TestClient(main.build(), base_url="http://127.0.0.1") as client:
        yield client


CONFIG: dict[str, Any] = {
    "model": sample.STARTER_NAME,
    "dataset": "Medication directions: labelled",
    "adapter": "lora",
}


def test_a_sweep_is_started_listed_and_stopped(api: TestClient) -> None:
    asked = {"config": CONFIG, "fields": {"learning_rate": [0.001, 0.01], "seed": [1, 2]}, "name": "rates"}
    made = api.post("/api/sweeps", json=asked)
    assert made.status_code == 201, made.text
    sweep = made.json()
    assert len(sweep["runs"]) == 4
    assert {run["sweep_id"] for run in sweep["runs"]} == {sweep["id"]}
    assert [each["name"] for each in api.get("/api/sweeps").json()] == ["rates"]
    assert len(api.get(f"/api/sweeps/{sweep['id']}").json()["runs"]) == 4
    assert api.post(f"/api/sweeps/{sweep['id']}/stop").json() == {"stopped": 4}


def test_a_sweep_with_one_wrong_run_starts_none(api: TestClient) -> None:
    asked = {"config": CONFIG, "fields": {"learning_rate": [0.001, 7]}}
    refused = api.post("/api/sweeps", json=asked)
    assert refused.status_code == 422
    assert refused.json()["field"] == "learning_rate"
    assert api.get("/api/runs").json() == []
    assert api.get("/api/sweeps").json() == []


def test_a_run_is_downloaded_as_a_script(api: TestClient) -> None:
    run = api.post("/api/runs", json=CONFIG).json()
    answer = api.get(f"/api/runs/{run['id']}/script")
    assert answer.headers["content-type"] == "application/zip"
    files = zipfile.ZipFile(io.BytesIO(answer.content))
    assert {"train.py", "train.jsonl", "requirements.lock", "README.md"} <= set(files.namelist())
    script = files.read("train.py").decode()
    assert "SFTTrainer(" in script
    assert "LoraConfig(" in script
    assert len(files.read("train.jsonl").splitlines()) == 500


def test_a_run_may_start_from_what_another_will_make(api: TestClient) -> None:
    first = api.post("/api/runs", json=CONFIG).json()
    second = api.post("/api/runs", json=CONFIG | {"model": f"run:{first['id']}"}).json()
    assert second["after_id"] == first["id"]
    assert second["model"] is None
    again = api.get(f"/api/runs/{second['id']}/config").json()
    assert again["model"] == f"run:{first['id']}"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"inputs": {"teacher_model": 1}}, "reads no “teacher_model”"),
        ({"graders": [{"grader": "nothing"}]}, "no grader “nothing”"),
        ({"graders": [{"grader": "exact_match"}, {"grader": "exact_match"}]}, "Two graders"),
        ({"graders": [{"grader": "exact_match", "parameters": {"x": 1}}]}, "no setting “x”"),
        ({"adapter": "frozen"}, "does not go with"),
        ({"model": "run:12"}, "no run 12"),
        ({"technique": "distillation", "dataset": "Medication directions: prompts"}, "Choose a teacher"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(api: TestClient, changes: dict[str, Any], says: str) -> None:
    refused = api.post("/api/runs", json=CONFIG | changes)
    assert refused.status_code in (404, 422)
    assert says in refused.json()["error"]


def test_the_command_line_writes_scripts_and_starts_sweeps(api: TestClient, tmp_path: Path) -> None:
    file = tmp_path / "sweep.json"
    file.write_text(json.dumps({"config": CONFIG, "fields": {"seed": [1, 2, 3]}}))
    started = CliRunner().invoke(cli.main, ["run", "sweep", str(file), "--json"])
    assert started.exit_code == 0, started.output
    runs = json.loads(started.output)
    assert len(runs) == 3
    made = CliRunner().invoke(cli.main, ["run", "script", str(runs[0]["id"]), str(tmp_path / "alone")])
    assert made.exit_code == 0, made.output
    assert (tmp_path / "alone" / "train.py").exists()
    twice = CliRunner().invoke(cli.main, ["run", "script", str(runs[0]["id"]), str(tmp_path / "alone")])
    assert twice.exit_code == 2
    assert "not empty" in twice.output


def test_rlhf_is_a_chain_in_which_ppo_waits_for_the_reward_model(api: TestClient) -> None:
    prompts = {"dataset": "Medication directions: prompts", "technique": "ppo", "model": sample.STARTER_NAME}
    asked = {"ppo": prompts, "pairs": "Medication directions: preference pairs"}
    names = [each["name"] for each in api.get("/api/datasets").json()]
    asked["pairs"] = next(name for name in names if "prefer" in name.lower() or "pairs" in name.lower())
    made = api.post("/api/chains/rm_ppo", json=asked)
    assert made.status_code == 201, made.text
    reward, ppo = made.json()
    assert reward["technique"] == "reward_model"
    assert ppo["after_id"] == reward["id"]
    assert ppo["graders"][0]["parameters"]["model"] == f"run:{reward['id']}"


def test_the_command_line_starts_chains_written_out_or_ready_made(api: TestClient, tmp_path: Path) -> None:
    file = tmp_path / "chain.json"
    file.write_text(json.dumps([CONFIG, CONFIG | {"model": "step:1"}]))
    made = CliRunner().invoke(cli.main, ["run", "chain", str(file), "--json"])
    assert made.exit_code == 0, made.output
    first, second = json.loads(made.stdout)
    assert api.get(f"/api/runs/{second['id']}").json()["after_id"] == first["id"]
    ppo = {"dataset": "Medication directions: prompts", "technique": "ppo", "model": sample.STARTER_NAME}
    asked = {"ppo": ppo, "pairs": "Medication directions: preference pairs", "examples": CONFIG["dataset"]}
    file.write_text(json.dumps(asked))
    made = CliRunner().invoke(cli.main, ["run", "chain", str(file)])
    assert made.exit_code == 0, made.output
    assert [line.split()[-1] for line in made.stdout.splitlines()[1:]] == ["sft", "reward_model", "ppo"]
    file.write_text(json.dumps({"ppo": ppo}))
    refused = CliRunner().invoke(cli.main, ["run", "chain", str(file)])
    assert refused.exit_code == 2
    assert "pairs" in refused.output


def test_a_longer_chain_waits_link_by_link_and_a_loop_is_refused(api: TestClient) -> None:
    pairs = next(
        each["name"]
        for each in api.get("/api/datasets").json()
        if each["versions"][0]["shape"] == "preference"
    )
    reward = CONFIG | {"technique": "reward_model", "dataset": pairs, "model": "step:1"}
    ppo = CONFIG | {
        "technique": "ppo",
        "dataset": "Medication directions: prompts",
        "model": "step:1",
        "graders": [{"grader": "reward_model", "parameters": {"model": "step:2"}}],
    }
    made = api.post("/api/chains", json=[CONFIG, reward, ppo])
    assert made.status_code == 201, made.text
    first, second, third = (each["id"] for each in made.json())
    assert [each["after_id"] for each in made.json()] == [None, first, second]
    refused = api.post("/api/chains", json=[CONFIG | {"model": "step:2"}, CONFIG])
    assert refused.status_code == 422
    assert "does not come before" in refused.json()["error"]
    assert third == 3


def test_metrics_from_elsewhere_become_a_run_and_leave_as_a_table(api: TestClient) -> None:
    body = b'{"step": 1, "loss": 2.0}\n{"step": 2, "loss": 1.5}\n'
    made = api.post("/api/runs/import", params={"file": "mine.jsonl"}, content=body)
    assert made.status_code == 201
    assert (made.json()["kind"], made.json()["name"], made.json()["state"]) == (
        "imported",
        "mine",
        "succeeded",
    )
    run = made.json()["id"]
    assert run in [each["id"] for each in api.get("/api/runs").json()]
    table = api.get(f"/api/runs/{run}/metrics.csv").text.splitlines()
    assert table[0] == "step,time,loss"
    assert [line.split(",")[2] for line in table[1:]] == ["2.0", "1.5"]
    refused = api.post("/api/runs/import", params={"file": "mine.txt"}, content=body)
    assert refused.status_code == 422
    assert "trainer_state.json" in refused.json()["hint"]
    assert api.get("/api/runs/999/metrics.csv").status_code == 404
    assert api.delete(f"/api/runs/{run}").status_code == 204


def test_the_marks_of_runs_are_asked_for_together(api: TestClient) -> None:
    ids = [api.post("/api/runs", json=CONFIG).json()["id"] for _ in range(2)]
    say = [
        {"kind": "metric", "step": 50, "time": 1e9, "data": {"eval_loss": 1.5}},
        {"kind": "checkpoint", "step": 50, "folder": "runs/1/checkpoints/checkpoint-50"},
    ]
    with db.transaction() as session:
        attempts.absorb(session, ids[0], say, attempt=1, offset=0)
    marks = api.get("/api/metrics/marks", params={"run": ids}).json()
    assert list(marks) == [str(run_id) for run_id in ids]
    assert [mark["kind"] for mark in marks[str(ids[0])]] == ["checkpoint", "evaluation"]
    assert marks[str(ids[0])][1] == {
        "kind": "evaluation",
        "step": 50,
        "time": 1e9,
        "title": "Held-out loss 1.5",
    }
    assert marks[str(ids[1])] == []
    assert api.get("/api/metrics/marks", params={"run": 99}).status_code == 404
