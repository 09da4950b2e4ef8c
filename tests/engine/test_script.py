"""A run exported as a plain script gives the same losses without the studio."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from studio import db, runs, script, techniques
from studio.models import Metric, State
from tests.engine.test_every_technique import attempt, configure, folder

__all__ = ["folder"]
CHANGED = {"sft": {"early_stopping": 5, "eval_steps": 2}, "grpo": {}}


@pytest.mark.parametrize(("technique", "adapter"), [("sft", "lora"), ("grpo", "full")])
def test_the_script_gives_the_losses_of_the_run(
    folder: Path, tmp_path: Path, technique: str, adapter: str
) -> None:
    config = configure(folder, techniques.get(technique), adapter)
    config.parameters |= {"sample_prompts": 0} | CHANGED[technique]
    with db.transaction() as session:
        run_id = runs.launch(session, config).id
    assert attempt(run_id) == State.SUCCEEDED
    alone = tmp_path / "alone"
    with db.reading() as session:
        run = runs.get(session, run_id)
        rows = session.query(Metric).filter_by(run_id=run_id).order_by(Metric.seq)
        losses = [row.data["loss"] for row in rows if "loss" in row.data]
        files = script.bundle(session, run)
        assert script.archive(files).startswith(b"PK")
    for name, text in files.items():
        (alone / name).parent.mkdir(parents=True, exist_ok=True)
        (alone / name).write_text(text, encoding="utf-8")
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("TUNESMITH", "PYTHON"))}
    done = subprocess.run(
        [sys.executable, "train.py"],
        cwd=alone,
        env=clean | {"HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    said = [float(found) for found in re.findall(r"'loss': '?([-\d.e]+)", done.stdout)]
    assert said == pytest.approx(losses, rel=2e-3, abs=1e-6)  # printed with four digits
    assert (alone / "model").is_dir()
    wanted = {line.split("==")[0] for line in files["requirements.txt"].splitlines()}
    assert {"torch", "trl", "peft"} <= wanted
    assert ("regex" in wanted) is (technique == "grpo")  # a grader's
