"""The spool holds whole lines; odd numbers travel by name; a torn checkpoint does not count."""

import os
from pathlib import Path

import orjson

from worker.runner import Tail
from worker.telemetry import COMPLETE, Spool, newest_checkpoint


def test_what_is_said_is_read_back_line_by_line(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.jsonl")
    spool.metric(1, {"loss": 0.5, "grad_norm": float("nan"), "reward": float("-inf"), "epoch": 1.0, "x": "y"})
    spool.say("activity", text="Training")
    entries, offset = Tail(tmp_path / "spool.jsonl", 0).lines()
    assert entries[0]["data"] == {"loss": 0.5, "grad_norm": "NaN", "reward": "-Infinity"}
    assert entries[1]["text"] == "Training"
    assert offset == os.path.getsize(tmp_path / "spool.jsonl")


def test_a_torn_last_line_waits_for_its_end(tmp_path: Path) -> None:
    path = tmp_path / "spool.jsonl"
    path.write_bytes(b'{"kind":"a"}\n{"kind":')
    tail = Tail(path, 0)
    entries, tail.offset = tail.lines()
    assert [entry["kind"] for entry in entries] == ["a"]
    with path.open("ab") as file:
        file.write(b'"b"}\n')
    assert [entry["kind"] for entry in tail.lines()[0]] == ["b"]


def test_only_a_sealed_checkpoint_counts(tmp_path: Path) -> None:
    for step, sealed in ((10, True), (20, True), (30, False)):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        if sealed:
            (folder / COMPLETE).write_bytes(orjson.dumps({"step": step, "tokens": step * 7}))
    found = newest_checkpoint(tmp_path)
    assert found is not None
    assert found[1] == {"step": 20, "tokens": 140}
    assert newest_checkpoint(tmp_path / "none") is None
