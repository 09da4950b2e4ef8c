"""The command line: what it prints, and how it refuses."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from fastapi.testclient import TestClient

from app import cli, main
from studio import db, metrics, sample
from studio.models import Run, State, now


@pytest.fixture
def tunesmith(database: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def call(*words: str, given: str | None = None) -> Result:
        monkeypatch.setattr("sys.argv", ["tunesmith", *words])
        return CliRunner().invoke(cli.main, list(words), input=given, catch_exceptions=False)

    return call


def printed(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_every_command_explains_itself_and_takes_json() -> None:
    def walk(group: Any, path: list[str]) -> list[tuple[list[str], Any]]:
        found = []
        for name, command in group.commands.items():
            inner = [*path, name]
            found += walk(command, inner) if hasattr(command, "commands") else [(inner, command)]
        return found

    servers = {"up", "demo", "web", "worker"}
    for path, command in walk(cli.main, []):
        assert command.help, path
        assert path[0] in servers or any("--json" in option.opts for option in command.params), path


def test_inspect_says_what_a_file_is(tunesmith: Any, tmp_path: Path) -> None:
    file = tmp_path / "mixed.jsonl"
    file.write_text('{"instruction": "a", "output": "b"}\n{oops\n{"instruction": "c", "output": "d"}\n')
    report = printed(tunesmith("dataset", "inspect", str(file), "--json"))
    assert report["format"] == "alpaca"
    assert report["shape"] == "instruction"
    assert report["rows"] == 2
    assert [bad["line"] for bad in report["bad_rows"]] == [2]
    assert isinstance(report["findings"], list)


def test_a_useless_file_is_refused_on_stderr_with_code_2_and_nothing_is_kept(
    tunesmith: Any, tmp_path: Path, database: Path
) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text("this is no json\n")
    for command in ("inspect", "add"):
        result = tunesmith("dataset", command, str(file), "--json")
        assert result.exit_code == 2
        assert not result.stdout
        assert "line 1" in json.loads(result.stderr)["error"]
    assert printed(tunesmith("dataset", "list", "--json")) == []
    assert not list((database / "datasets").glob("*"))


def test_guide_answers_with_the_guides_own_names(tunesmith: Any) -> None:
    answers = {"phase_done": 1, "main_gap": "task_accuracy", "n_labelled": 600, "metric_now": 0.5}
    found = printed(tunesmith("guide", "-", "--json", given=json.dumps(answers)))
    assert found["technique"] == "sft"
    assert set(found) == {
        "technique", "rule", "reasons", "ruled_out", "data_gap", "phase", "flags", "next_step",
    }  # fmt: skip
    refused = tunesmith("guide", "-", "--json", given='{"n_labeled": 3}')
    assert refused.exit_code == 2
    assert "n_labelled" in refused.stderr


def test_techniques_lists_the_registry(tunesmith: Any) -> None:
    listed = printed(tunesmith("techniques", "--json"))
    assert {"name", "title", "group", "phase", "shape"} == set(listed[0])
    assert "sft" in {each["name"] for each in listed}


def test_runs_are_started_listed_stopped_and_compared(tunesmith: Any, database: Path) -> None:
    sample.load()
    config = {
        "model": sample.STARTER_NAME,
        "dataset": "Medication directions: labelled",
        "parameters": {"max_steps": 5},
    }
    first = printed(tunesmith("run", "start", "-", "--json", given=json.dumps(config)))
    assert first["state"] == "queued"
    changed = config | {"parameters": {"max_steps": 6}}
    second = printed(tunesmith("run", "start", "-", "--json", given=json.dumps(changed)))
    ids = [str(first["id"]), str(second["id"])]
    compared = printed(tunesmith("run", "compare", *ids, "--json"))
    assert [row["setting"] for row in compared["settings"]] == ["max_steps"]
    assert printed(tunesmith("run", "stop", ids[0], "--json"))["state"] == "cancelled"
    assert printed(tunesmith("run", "resume", ids[0], "--json"))["state"] == "queued"
    assert {row["id"] for row in printed(tunesmith("run", "list", "--json"))} == {first["id"], second["id"]}
    assert printed(tunesmith("run", "show", ids[0], "--json"))["parameters"]["max_steps"] == 5
    assert printed(tunesmith("run", "logs", ids[0], "--json")) == {"log": ""}
    assert "max_steps" in tunesmith("run", "compare", *ids).stdout


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ("{", "is no JSON"),
        ('{"modell": "x"}', "modell"),
        ('{"model": "x/y"}', "Choose a dataset"),
        ('{"model": "x/y", "dataset": "nothing"}', "no dataset"),
    ],
)
def test_a_wrong_config_is_refused_in_words(tunesmith: Any, config: str, says: str) -> None:
    result = tunesmith("run", "start", "-", given=config)
    assert result.exit_code == 2
    assert says in result.stderr


def test_a_token_opens_the_door_that_a_user_closed(tunesmith: Any) -> None:
    assert tunesmith("user", "token", "ann").exit_code == 2
    printed(tunesmith("user", "add", "ann", "--password", "a long password", "--json"))
    token = printed(tunesmith("user", "token", "ann", "--json"))["token"]
    with TestClient(main.build(), base_url="http://127.0.0.1") as api:
        assert api.get("/api/runs").status_code == 401
        assert api.get("/api/runs", headers={"Authorization": f"Bearer {token}"}).status_code == 200


def test_doctor_looks_at_everything(tunesmith: Any) -> None:
    checks = {check["check"]: check for check in printed(tunesmith("doctor", "--json"))}
    assert checks["database"]["ok"]
    assert checks["broker"]["ok"]


def test_listening_beyond_loopback_without_anybody_who_may_log_in_is_refused(
    tunesmith: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from studio import settings

    monkeypatch.setenv("TUNESMITH_HOST", "0.0.0.0")
    settings.get.cache_clear()
    result = tunesmith("migrate")
    assert result.exit_code == 2
    assert "tunesmith user add" in result.stderr


def test_a_use_case_is_let_climb_by_its_name(tunesmith: Any) -> None:
    sample.load()
    started = printed(tunesmith("climb", "Medication directions", "--until", "2", "--hours", "0.5", "--json"))
    assert (started["state"], started["until_phase"], started["steps"]) == ("going", 2, [])
    refused = tunesmith("climb", "Medication directions")
    assert refused.exit_code == 2
    assert "climbing already" in refused.stderr
    assert "no use case" in tunesmith("climb", "Nothing").stderr


def test_thinning_names_the_runs_and_leaves_them_alone_when_only_asked(tunesmith: Any) -> None:
    with db.transaction() as session:
        run = Run(
            name="x", technique="sft", attempt=1, state=State.SUCCEEDED, ended=now() - timedelta(days=9)
        )
        session.add(run)
        session.flush()
        rows = [{"step": n, "time": 1e9 + n, "data": {"loss": float(n)}} for n in range(5000)]
        metrics.append(session, run.id, rows)
    asked = ("run", "thin", "--older-than", "7", "--json")
    assert printed(tunesmith(*asked, "--dry-run")) == [{"id": run.id, "moments": "–"}]
    assert printed(tunesmith(*asked)) == [{"id": run.id, "moments": 4096}]
    assert printed(tunesmith(*asked)) == []


def test_metrics_come_in_from_a_table_and_go_out_in_each_way(tunesmith: Any, tmp_path: Path) -> None:
    (tmp_path / "logged.csv").write_text("step,loss\n1,2.0\n2,1.5\n")
    made = printed(tunesmith("run", "import", str(tmp_path / "logged.csv"), "--name", "laptop", "--json"))
    assert (made["name"], made["step"], made["loss"]) == ("laptop", 2, 1.5)
    for way in ("csv", "tensorboard", "mlflow"):
        printed(tunesmith("run", "export", str(made["id"]), str(tmp_path / way), "--as", way, "--json"))
        assert any(path.is_file() for path in (tmp_path / way).rglob("*"))
