"""trackio, over the API of its server. Every row has a name made from its step and its metrics, so that one
told twice is kept once. The server knows when a row came, not when it was logged, and no state of a run: that
stands among its settings."""

import hashlib
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from studio import settings
from studio.metrics.abroad import Sketch
from worker.mirrors.base import Mirror, Place, Row, call


def begin(address: str, key: str, sketch: Sketch) -> tuple[Place, str]:
    place = {"project": sketch.project, "run": sketch.name, "run_id": key}
    settle(address, place, sketch)
    return place, f"{address.partition('?')[0].rstrip('/')}/?project={quote(sketch.project, safe='')}"


def tell(address: str, place: Place, rows: Sequence[Row]) -> None:
    _log(address, [_entry(place, row) for row in rows])


def settle(address: str, place: Place, sketch: Sketch) -> None:
    """Settings come with a row; this one holds no metric, and is the same each time."""
    known = {"_Created": _moment(sketch.began), "state": sketch.state.value}
    row = {"step": 0, "data": {}}
    _log(address, [_entry(place, row) | {"config": sketch.settings | sketch.tags | known}])


def _entry(place: Place, row: Row) -> dict[str, Any]:
    told = f"{place['run_id']} {row['step']} {' '.join(sorted(row['data']))}"
    name = hashlib.sha256(told.encode()).hexdigest()[:32]
    return {**place, "metrics": row["data"], "step": row["step"], "log_id": name}


def _log(address: str, entries: list[dict[str, Any]]) -> None:
    token = (parse_qs(urlsplit(address).query).get("write_token") or [""])[0]
    token = token or os.environ.get("TRACKIO_WRITE_TOKEN", "")
    header = {"X-Trackio-Write-Token": token} if token else {}
    call(address, "api/bulk_log", {"kwargs": {"logs": entries, "hf_token": None}}, **header)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


MIRROR = Mirror("trackio", "trackio", lambda: settings.get().mirror_trackio, begin, tell, settle)
