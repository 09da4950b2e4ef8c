"""What a trainer says: one JSON line per fact, appended to the spool of its attempt.

The runner reads the spool and writes the database; the trainer never waits for either.
"""

import math
import os
import time
from pathlib import Path
from typing import Any

import orjson
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from studio.exits import Exit
from studio.logged import NAMES, is_of_a_step
from worker.gauges import Gauges
from worker.machine import Meter
from worker.order import Order

COMPLETE = "complete.json"  # written last into a checkpoint: without it the checkpoint does not count


class Spool:
    """Appends facts; each is one write of one line, so a reader sees whole lines or none."""

    def __init__(self, path: Path):
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def say(self, kind: str, **facts: Any) -> None:
        line = {"kind": kind, "time": time.time(), **facts}
        os.write(self._file, orjson.dumps(line, option=orjson.OPT_SERIALIZE_NUMPY) + b"\n")

    def metric(self, step: int, values: dict[str, Any]) -> None:
        data = {
            key: number if math.isfinite(number := float(value)) else NAMES[str(number)]
            for key, value in values.items()
            if is_of_a_step(key) and isinstance(value, (int, float))
        }
        if data:
            self.say("metric", step=step, data=data)


class Telemetry(TrainerCallback):
    """Tells the spool what happens, and passes a request to stop on to the trainer."""

    def __init__(self, order: Order, spool: Spool):
        self.order, self.spool = order, spool
        self.asked_to_stop = False
        self._told = 0.0
        self._first: tuple[int, float] | None = None
        is_packed = order.arguments.get("packing")
        self.machine = Meter()
        self.gauges = Gauges(None if is_packed else order.parameters.get("max_length"))

    def stop_soon(self, *_signal: object) -> None:
        self.asked_to_stop = True

    def leave_if_asked(self) -> None:
        """Before training has begun there is nothing to save: leave at once."""
        if self.asked_to_stop:
            raise SystemExit(Exit.INTERRUPTED)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        at = time.monotonic()
        if self._first is None:
            self._first = (state.global_step, at)
        if at - self._told >= 0.5 or self.asked_to_stop or state.global_step == state.max_steps:
            self._told = at
            steps, seconds = state.global_step - self._first[0], at - self._first[1]
            left = (state.max_steps - state.global_step) * seconds / steps if steps else None
            self.spool.say("progress", step=state.global_step, total_steps=state.max_steps, seconds_left=left)
        if self.asked_to_stop:
            control.should_save = True
            control.should_training_stop = True

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.machine.start()

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Training that ended before its last step, because nothing improved, is done all the same."""
        self.machine.stop()
        if not self.asked_to_stop and state.global_step < state.max_steps:
            step = state.global_step
            self.spool.say("progress", step=step, total_steps=step, seconds_left=0)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        read = self.gauges.read() | self.machine.read() if logs and "loss" in logs else {}
        self.spool.metric(state.global_step, (logs or {}) | read)

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Seals the checkpoint. An attempt that was replaced must not touch its successor's checkpoints."""
        if self.order.owner.read_text() != str(self.order.attempt):
            os._exit(1)
        folder = self.order.checkpoints / f"checkpoint-{state.global_step}"
        seal = {"step": state.global_step, "attempt": self.order.attempt, **self.remembered()}
        unsealed = folder / (COMPLETE + ".new")
        unsealed.write_bytes(orjson.dumps(seal))
        unsealed.rename(folder / COMPLETE)
        self.spool.say(
            "checkpoint", step=state.global_step, folder=str(folder.relative_to(self.order.data_folder))
        )

    # TRL counts the tokens it has seen but does not keep the count in a checkpoint.
    trainer: Any = None

    def remembered(self) -> dict[str, Any]:
        return {"tokens": getattr(self.trainer, "_total_train_tokens", None)}

    def remember(self, seal: dict[str, Any]) -> None:
        if seal.get("tokens") is not None:
            self.trainer._total_train_tokens = seal["tokens"]


def newest_checkpoint(folder: Path) -> tuple[Path, dict[str, Any]] | None:
    """The newest complete checkpoint and its seal; a torn one is passed over."""
    complete = [path for path in folder.glob("checkpoint-*") if (path / COMPLETE).exists()]
    if not complete:
        return None
    newest = max(complete, key=lambda path: int(path.name.split("-")[1]))
    return newest, orjson.loads((newest / COMPLETE).read_bytes())
