"""A run exported as a plain script gives the same losses without the studio."""

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from studio import db, needs, runs, script, techniques
from studio.models import Metric, State
from studio.runs import RunConfig
from tests.engine.test_every_technique import MAKE, attempt, configure, folder, upload
from tests.worker.test_features import seeing

__all__ = ["folder", "seeing"]
CHANGED = {"sft": {"early_stopping": 5, "eval_steps": 2}, "grpo": {}}


def trained(config: RunConfig) -> int:
    """The id of a run that has been trained."""
    with db.transaction() as session:
        run_id = runs.launch(session, config).id
    assert attempt(run_id) == State.SUCCEEDED
    return run_id


def alone(run_id: int, place: Path) -> tuple[dict[str, str], list[float], list[float]]:
    """The files of a run's script, the losses of the run, and those that the script prints on its own."""
    with db.reading() as session:
        rows = session.query(Metric).filter_by(run_id=run_id).order_by(Metric.seq)
        losses = [row.data["loss"] for row in rows if "loss" in row.data]
        files = script.bundle(session, runs.get(session, run_id))
        assert script.archive(files).startswith(b"PK")
    for name, text in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text, encoding="utf-8")
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("TUNESMITH", "PYTHON"))}
    done = subprocess.run(
        [sys.executable, "train.py"],
        cwd=place,
        env=clean | {"HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert (place / "model").is_dir()
    said = [float(found) for found in re.findall(r"'loss': '?([-\d.e]+)", done.stdout)]
    return files, losses, said


def same(losses: list[float]) -> Any:
    assert losses
    return pytest.approx(losses, rel=2e-3, abs=1e-6)  # printed with four digits


@pytest.mark.parametrize(("technique", "adapter"), [("sft", "lora"), ("sft", "qlora"), ("grpo", "full")])
def test_the_script_gives_the_losses_of_the_run(
    folder: Path, tmp_path: Path, technique: str, adapter: str
) -> None:
    config = configure(folder, techniques.get(technique), adapter)
    config.parameters |= {"sample_prompts": 0} | CHANGED[technique]
    files, losses, said = alone(trained(config), tmp_path / "alone")
    assert said == same(losses)
    wanted = {line.split("==")[0] for line in files[needs.LOCK].splitlines()}
    assert {"torch", "trl", "peft"} <= wanted
    assert ("sacrebleu" in wanted) is (technique == "grpo")  # a grader's
    assert ("bitsandbytes" in wanted) is (adapter == "qlora")


def test_conversations_that_were_cut_are_cut_in_the_script(folder: Path, tmp_path: Path) -> None:
    """Into one row for each answer that is learned; held-out rows of another shape come in the same form."""
    talks = MAKE["chat"]()
    for row in talks[:6]:
        row["messages"] += [
            {"role": "user", "content": "Are you sure?"},
            {"role": "assistant", "content": "No.", "weight": 0},
        ]
    asked = [{"prompt": row["messages"][:2], "completion": row["messages"][2:]} for row in talks[24:]]
    config = configure(folder, techniques.get("sft"), "lora")
    config.dataset = upload(folder, "chat", "weighted", talks[:24])
    config.held_out = upload(folder, "instruction", "asked", asked)
    files, losses, said = alone(trained(config), tmp_path / "alone")
    assert said == same(losses)
    assert "assistant_only_loss=False" in files["train.py"]
    assert all("completion" in json.loads(line) for line in files["held_out.jsonl"].splitlines())


def test_general_conversations_are_replayed_by_the_script(folder: Path, tmp_path: Path) -> None:
    config = configure(folder, techniques.get("cpt"), "full")
    talks = MAKE["chat"]()[24:]
    config.inputs = {
        "replay_dataset": upload(folder, "chat", "replayed", talks),
        "general_dataset": upload(folder, "chat", "general", talks[:8]),
    }
    config.parameters |= {"replay_share": 0.5}
    files, losses, said = alone(trained(config), tmp_path / "alone")
    assert said == same(losses)
    assert "messages" in json.loads(files["replay_dataset.jsonl"].splitlines()[0])


def test_a_value_model_keeps_its_head_in_the_script(folder: Path, tmp_path: Path) -> None:
    rewarding = trained(configure(folder, techniques.get("reward_model"), "lora"))
    config = configure(folder, techniques.get("ppo"), "full")
    config.inputs = {"value_model": f"run:{rewarding}"}
    _, losses, said = alone(trained(config), tmp_path / "alone")
    assert said == same(losses)


def test_the_reference_is_the_tuned_start_and_not_its_base(folder: Path, tmp_path: Path) -> None:
    first = configure(folder, techniques.get("sft"), "lora")
    first.parameters |= {"learning_rate": 0.05}
    config = configure(folder, techniques.get("dpo"), "full")
    config.model = f"run:{trained(first)}"
    _, losses, said = alone(trained(config), tmp_path / "alone")
    assert said == same(losses)
    assert losses[0] == pytest.approx(math.log(2), abs=1e-3)  # policy and reference are the same at first


def test_a_classifier_over_a_model_that_sees_reads_it_in_the_script(
    folder: Path, tmp_path: Path, seeing: Path
) -> None:
    config = configure(folder, techniques.get("feature_classifier"), "frozen")
    config.model = str(seeing)
    _, losses, said = alone(trained(config), tmp_path / "alone")
    assert said == same(losses)
