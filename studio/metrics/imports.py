"""Metrics from elsewhere as a run that can be looked at and compared: Trainer's `trainer_state.json`,
TensorBoard's event files, and tables with a row a step (JSONL or CSV), as W&B and trackio export them."""

import csv
import json
import math
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from studio import metrics, runs
from studio.errors import StudioError
from studio.logged import NAMES, is_of_a_step
from studio.metrics import tfevents
from studio.models import Run

Row = dict[str, Any]
STEPS = ("step", "_step", "global_step", "trainer/global_step")
TIMES = ("time", "_timestamp", "timestamp", "wall_time", "wall time")
ASIDE = {"_runtime", "_wandb", "epoch", "train/epoch"}
AT_ONCE = 65_536
KNOWN = "trainer_state.json, a TensorBoard event file, or JSONL or CSV with a step in each row"


def add(session: Session, path: Path, name: str = "", *, original: str = "", who: str = "") -> Run:
    """A finished run with the metrics of a file, or of one in a folder; `original` is what its sender called
    the file."""
    file = find(path)
    called = original or file.name
    rows = list(read(file, called))
    if not rows:
        raise StudioError(f"No metrics were found in {called}.", hint=f"It reads {KNOWN}.", field="file")
    known = name or (Path(original).stem if original else file.parent.name or file.stem)
    run = runs.imported(session, known, source=called, who=who)
    for first in range(0, len(rows), AT_ONCE):
        metrics.append(session, run.id, rows[first : first + AT_ONCE])
    run.step = run.total_steps = max(row["step"] for row in rows)
    run.latest = {key: value for row in rows for key, value in row["data"].items()}
    return run


def find(path: Path) -> Path:
    """The file itself; in a folder the state of its last checkpoint, or its newest event file."""
    if not path.is_dir():
        return path
    states = sorted(path.glob("**/trainer_state.json"), key=lambda each: (_steps(each), str(each)))
    logs = sorted(path.glob("**/*tfevents*"), key=lambda each: each.stat().st_mtime)
    if not states + logs:
        raise StudioError(f"There are no metrics in the folder {path.name}.", hint=f"It reads {KNOWN}.")
    return (states or logs)[-1]


def read(file: Path, called: str = "") -> Iterator[Row]:
    """Rows `{"step", "time", "data"}` in the order of the file."""
    name = called or file.name
    reader = _reader(name)
    try:
        yield from reader(file)
    except (ValueError, csv.Error, IndexError, KeyError, struct.error) as problem:
        raise StudioError(
            f"{name} cannot be read: {problem}.", hint=f"It reads {KNOWN}.", field="file"
        ) from problem


def _reader(name: str) -> Callable[[Path], Iterator[Row]]:
    if "tfevents" in name:
        return _events
    readers = {".json": _state, ".jsonl": _jsonl, ".csv": _csv}
    ending = Path(name).suffix.lower()
    if ending not in readers:
        raise StudioError(f"{name} is no file of metrics.", hint=f"It reads {KNOWN}.", field="file")
    return readers[ending]


def _steps(state: Path) -> int:
    """Of `checkpoint-500/trainer_state.json` the 500; one beside the model is the last, and more than all."""
    _, _, number = state.parent.name.partition("checkpoint-")
    return int(number) if number.isdigit() else 2**62


def _state(file: Path) -> Iterator[Row]:
    """It does not say when: every row has the time of the file. Its NaN is no JSON, but Python reads it."""
    found = json.loads(file.read_text())
    if not isinstance(found, dict) or "log_history" not in found:
        raise StudioError("It has no log_history.", hint="Trainer writes one into trainer_state.json.")
    at = file.stat().st_mtime
    for each in found["log_history"]:
        data = {key: value for key, value in _numbers(each).items() if is_of_a_step(key) and key != "step"}
        if data:
            yield {"step": int(each["step"]), "time": at, "data": data}


def _events(file: Path) -> Iterator[Row]:
    """Trainers write the scalars of a step one after the other: together they are a row."""
    row: Row = {"step": None, "time": 0.0, "data": {}}
    for scalar in tfevents.read(file):
        if scalar.step != row["step"] or scalar.key in row["data"]:
            if row["data"]:
                yield row
            row = {"step": scalar.step, "time": scalar.time, "data": {}}
        row["data"][scalar.key] = _named(scalar.value)
    if row["data"]:
        yield row


def _jsonl(file: Path) -> Iterator[Row]:
    with file.open("rb") as lines:
        yield from _table(file, _objects(lines))


def _objects(lines: Iterable[bytes]) -> Iterator[Row]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found, why = json.loads(line), "it is no object: {…}"
        except ValueError as problem:
            found, why = None, str(problem)
        if not isinstance(found, dict):
            raise StudioError(
                f"Line {number} is not JSON that can be read.",
                hint="Mend or remove the line, then import the file again: nothing was kept.",
                field="file",
                lines=[{"line": number, "reason": why}],
            )
        yield found


def _csv(file: Path) -> Iterator[Row]:
    with file.open(newline="", encoding="utf-8-sig") as lines:
        yield from _table(file, csv.DictReader(lines))


def _table(file: Path, rows: Iterable[Mapping[str, Any]]) -> Iterator[Row]:
    at = file.stat().st_mtime
    for row in rows:
        flat = dict(row) | (row["metrics"] if isinstance(row.get("metrics"), dict) else {})
        names = {str(name).lower(): name for name in flat}
        steps = [names[name] for name in STEPS if name in names]
        times = [names[name] for name in TIMES if name in names]
        if not steps:
            raise StudioError("It has no column named step.", hint=f"It reads {KNOWN}.", field="file")
        step = _number(flat[steps[0]])
        aside = {*steps, *times, *(names[name] for name in ASIDE if name in names)}
        data = _numbers({key: value for key, value in flat.items() if key not in aside})
        if step is not None and data:
            yield {"step": int(step), "time": _time(flat[times[0]], at) if times else at, "data": data}


def _numbers(row: Mapping[str, Any]) -> dict[str, Any]:
    """What is a number in a row, without W&B's own lowest and highest of what it left out."""
    found = {}
    for key, value in row.items():
        number = _number(value)
        if number is not None and not str(key).endswith(("__MIN", "__MAX")):
            found[str(key)] = _named(number)
    return found


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str) or value == "":
        return None
    try:
        return float(value)
    except ValueError:
        return None


def _named(number: float) -> float | str:
    return number if math.isfinite(number) else NAMES[str(number)]


def _time(value: Any, otherwise: float) -> float:
    number = _number(value)
    if number is not None:
        return number / 1000 if number > 1e11 else number  # milliseconds
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return otherwise
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
