"""MLflow, over its REST API. A run is found again by its tag `tunesmith.key`. A point with the same metric,
step, time and value is one point there, so that telling it twice does no harm."""

import os
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from studio import settings
from studio.metrics import abroad
from studio.metrics.abroad import Sketch
from worker.mirrors.base import Mirror, Place, Row, Unwilling, basic, call

API = "api/2.0/mlflow"
KEY = "tunesmith.key"
LONGEST_VALUE, MOST_SETTINGS = 6000, 100


def begin(address: str, key: str, sketch: Sketch) -> tuple[Place, str]:
    experiment = _experiment(address, sketch.project)
    found = _ask(
        address,
        "runs/search",
        {"experiment_ids": [experiment], "filter": f"tags.`{KEY}` = '{key}'", "max_results": 1},
    ).get("runs")
    run = found[0] if found else _create(address, key, experiment, sketch)
    place = {"experiment": experiment, "run": run["info"]["run_id"]}
    said = _pairs(sketch.settings)
    for first in range(0, len(said), MOST_SETTINGS):
        some = said[first : first + MOST_SETTINGS]
        _ask(address, "runs/log-batch", {"run_id": place["run"], "params": some})
    seen = address.partition("?")[0].rstrip("/")
    return place, f"{seen}/#/experiments/{experiment}/runs/{place['run']}"


def tell(address: str, place: Place, rows: Sequence[Row]) -> None:
    points = [
        {
            "key": abroad.mlflow_name(key),
            "value": value,
            "timestamp": int(1000 * row["time"]),
            "step": row["step"],
        }
        for row in rows
        for key, value in row["data"].items()
    ]
    _ask(address, "runs/log-batch", {"run_id": place["run"], "metrics": points})


def settle(address: str, place: Place, sketch: Sketch) -> None:
    ended = {"end_time": int(1000 * sketch.ended)} if sketch.ended else {}
    known = {"run_id": place["run"], "status": abroad.status(sketch.state), "run_name": sketch.name}
    _ask(address, "runs/update", known | ended)


def _experiment(address: str, name: str) -> str:
    """The experiment of that name, made if there is none."""
    try:
        found = _ask(address, f"experiments/get-by-name?experiment_name={quote(name, safe='')}")
        return str(found["experiment"]["experiment_id"])
    except Unwilling:  # there is none, or the next answer says what is wrong
        return str(_ask(address, "experiments/create", {"name": name})["experiment_id"])


def _create(address: str, key: str, experiment: str, sketch: Sketch) -> dict[str, Any]:
    tags = sketch.tags | {KEY: key, "mlflow.runName": sketch.name}
    body = {"experiment_id": experiment, "run_name": sketch.name, "start_time": int(1000 * sketch.began)}
    made: dict[str, Any] = _ask(address, "runs/create", body | {"tags": _pairs(tags)})["run"]
    return made


def _pairs(values: dict[str, str]) -> list[dict[str, str]]:
    return [
        {"key": abroad.mlflow_name(name), "value": value[:LONGEST_VALUE]} for name, value in values.items()
    ]


def _ask(address: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    return call(address, f"{API}/{path}", body, **_who())


def _who() -> dict[str, str]:
    """From where MLflow's own programs take it."""
    if token := os.environ.get("MLFLOW_TRACKING_TOKEN"):
        return {"Authorization": f"Bearer {token}"}
    if user := os.environ.get("MLFLOW_TRACKING_USERNAME"):
        return {"Authorization": basic(f"{user}:{os.environ.get('MLFLOW_TRACKING_PASSWORD', '')}")}
    return {}


MIRROR = Mirror("mlflow", "MLflow", lambda: settings.get().mirror_mlflow, begin, tell, settle)
