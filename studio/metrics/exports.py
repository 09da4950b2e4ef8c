"""A run's metrics for other programs: a CSV file, TensorBoard's event file, or MLflow's folder."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import select
from sqlalchemy.orm import Session

from studio import metrics
from studio.metrics import abroad, shelf, tfevents
from studio.models import MetricColumn, Run


def keys(session: Session, run_id: int) -> list[str]:
    """All metrics a run logged, by name."""
    packed = session.scalars(select(MetricColumn.key).where(MetricColumn.run_id == run_id).distinct())
    loose = (key for row in shelf.loose(session, run_id) for key in row["data"])
    return sorted({*packed, *loose})


def csv_lines(session: Session, run: Run) -> Iterator[str]:
    """One line a moment, one column a metric; a cell is empty where that was not logged."""
    names = keys(session, run.id)
    yield _line(["step", "time", *map(_harmless, names)])
    for row in metrics.rows(session, run.id):
        yield _line([row["step"], row["time"], *(row["data"].get(name, "") for name in names)])


def _line(cells: list[Any]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(cells)
    return out.getvalue()


def _harmless(name: str) -> str:
    """A spreadsheet would take it for a formula."""
    return "'" + name if name.startswith(("=", "+", "-", "@")) else name


def to_csv(session: Session, run: Run, folder: Path) -> None:
    with (folder / f"run-{run.id}.csv").open("w", encoding="utf-8") as file:
        file.writelines(csv_lines(session, run))


def to_tensorboard(session: Session, run: Run, folder: Path) -> None:
    """`tensorboard --logdir FOLDER` shows it under the run's name."""
    place = folder / _plain(f"{run.id}-{run.name}")
    place.mkdir(parents=True, exist_ok=True)
    began = int(run.created.timestamp())
    with (place / f"events.out.tfevents.{began}.tunesmith").open("wb") as file:
        tfevents.begin(file, float(began))
        for row in metrics.rows(session, run.id):
            values = {key: float(value) for key, value in row["data"].items()}
            tfevents.write(file, row["step"], row["time"], values)


def to_mlflow(session: Session, run: Run, folder: Path) -> None:
    """MLflow's file store; `mlflow migrate-filestore` takes it into the database of a server."""
    experiment, began = folder / "1", _milliseconds(run.started or run.created)
    place = experiment / f"{run.id:032x}"
    for part in ("metrics", "params", "tags", "artifacts"):
        (place / part).mkdir(parents=True, exist_ok=True)
    where = {"artifact_location": experiment.as_uri(), "lifecycle_stage": "active", "name": "tunesmith"}
    _meta(experiment, where | {"experiment_id": "1"})
    _meta(place, _about(run, place, began))
    for name, value in abroad.settings_of(run).items():
        _write(place / "params" / _path(name), value)
    for name, value in ({"mlflow.runName": run.name} | abroad.tags_of(run)).items():
        _write(place / "tags" / _path(name), value)
    files: dict[str, list[str]] = {}
    for row in metrics.rows(session, run.id):
        for key, value in row["data"].items():
            files.setdefault(key, []).append(f"{int(1000 * row['time'])} {float(value)} {row['step']}\n")
    for key, lines in files.items():
        _write(place / "metrics" / _path(key), "".join(lines))


def _about(run: Run, place: Path, began: int) -> dict[str, Any]:
    return {
        "artifact_uri": (place / "artifacts").as_uri(),
        "end_time": _milliseconds(run.ended) if run.ended else None,
        "entry_point_name": "",
        "experiment_id": "1",
        "lifecycle_stage": "active",
        "run_id": place.name,
        "run_name": run.name,
        "source_name": "",
        "source_type": 4,
        "source_version": "",
        "start_time": began,
        "status": abroad.STATUSES.index(abroad.status(run.state)) + 1,
        "tags": [],
        "user_id": "",
    }


def _meta(place: Path, values: dict[str, Any]) -> None:
    """Every JSON value is YAML."""
    text = "".join(f"{name}: {json.dumps(value)}\n" for name, value in values.items())
    (place / "meta.yaml").write_text(text, encoding="utf-8")


def _milliseconds(moment: Any) -> int:
    return int(1000 * moment.timestamp())


def _plain(name: str) -> str:
    """A file name; what cannot stand in one is written as in an address."""
    return quote(name, safe=" ()+,=")[:200].strip(". ") or "_"


def _path(key: str) -> str:
    """MLflow keeps `rewards/mean` in a folder `rewards`."""
    return "/".join(_plain(part) for part in abroad.mlflow_name(key).split("/"))


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


WAYS: dict[str, Callable[[Session, Run, Path], None]] = {
    "csv": to_csv,
    "tensorboard": to_tensorboard,
    "mlflow": to_mlflow,
}
