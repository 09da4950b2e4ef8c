"""Settings of runs against what came of them: an axis a setting that differs, and one for a metric.

For parallel coordinates and scatters; who draws them is decided elsewhere.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from studio import metrics, scales
from studio.comparison.groups import SAME, groups
from studio.comparison.settings import table, titles
from studio.errors import StudioError
from studio.models import Run
from studio.scales import Scale

HOW = {"newest": "newest", "best": "best", "last": "mean of the last tenth"}
USUAL = ("eval_loss", "reward", "loss")
ALL_POINTS = 10**9


@dataclass(frozen=True)
class Axis:
    """One setting or metric: the value of each run, None where it has none, and how they are laid out."""

    key: str
    title: str
    values: list[Any]
    scale: Scale

    @property
    def places(self) -> list[float | None]:
        """Of each run from 0 to 1 along the axis."""
        return [None if value is None else self.scale.at(value) for value in self.values]

    @property
    def said(self) -> list[str]:
        return [scales.said(value) for value in self.values]

    def as_json(self) -> dict[str, Any]:
        scale = self.scale
        return {
            "key": self.key,
            "title": self.title,
            "kind": scale.kind,
            "low": scale.low,
            "high": scale.high,
            "ticks": [asdict(tick) for tick in scale.ticks],
            "words": list(scale.words),
            "values": self.values,
            "places": self.places,
            "said": self.said,
        }


def settings(runs: Sequence[Run]) -> list[Axis]:
    """An axis a setting in which the runs differ, the seed last."""
    called = titles(runs)
    rows = sorted(((row["setting"], row["values"]) for row in table(runs)), key=lambda row: row[0] == "seed")
    return [axis(name, called.get(name) or name[:1].upper() + name[1:], values) for name, values in rows]


def axis(key: str, title: str, values: Sequence[Any], *, log: bool | None = None) -> Axis:
    plain = [_plain(value) for value in values]
    return Axis(key, title, plain, scales.at_values(plain, log=log))


def _plain(value: Any) -> Any:
    """What an axis can hold: a number, or words."""
    if value is None or value == "" or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return value if scales.is_number(value) else scales.said(value)


def metric(
    session: Session, runs: Sequence[Run], key: str, how: str = "newest", *, log: bool | None = None
) -> Axis:
    """The axis of a metric: of each run its newest or best value, or the mean of its last tenth of steps."""
    title = metrics.describe(runs, [key])[0]["title"]
    values = figures(session, runs, key, how)
    return Axis(key, title, values, scales.fit(values, log=log))


def figures(session: Session, runs: Sequence[Run], key: str, how: str = "newest") -> list[float | None]:
    """One value a run; None for a run that has not logged this metric, or no finite value of it."""
    if how not in HOW:
        allowed = ", ".join(HOW)
        raise StudioError(
            f"“{how}” is no way to sum up a metric.", hint=f"Choose of: {allowed}.", field="how"
        )
    if how == "newest":
        return [_finite(run.latest.get(key)) for run in runs]
    if how == "last":
        return [_mean_of_last_tenth(session, run, key) if key in run.latest else None for run in runs]
    least = metrics.better(runs, key) == "lower"
    return [_extreme(session, run, key, least) if key in run.latest else None for run in runs]


def _extreme(session: Session, run: Run, key: str, least: bool) -> float | None:
    line = metrics.lines(session, run.id, [key], points=600).get(key)  # few points keep the extremes
    values = line.values[np.isfinite(line.values)] if line else np.array([])
    if not len(values):
        return None
    return float(values.min() if least else values.max())


def _mean_of_last_tenth(session: Session, run: Run, key: str) -> float | None:
    low = math.ceil(run.step * 0.9)
    read = metrics.read(session, [run], keys=[key], low=low, points=ALL_POINTS)
    found = read["series"][str(run.id)].get(key, {}).get("values", [])
    values = [value for value in found if value is not None]
    return float(np.mean(values)) if values else _finite(run.latest.get(key))


def _finite(value: Any) -> float | None:
    return float(value) if scales.is_number(value) else None


def offered(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """The metrics that at least one of the runs has a value of, described."""
    return metrics.describe(runs, {key for run in runs for key in run.latest})


def usual(runs: Sequence[Run]) -> str:
    """The metric that says most about the runs: the first of the usual ones that at least half of them have,
    else the first that any has."""
    for key in USUAL:
        if 2 * sum(key in run.latest for run in runs) >= max(len(runs), 1):
            return key
    return next((each["key"] for each in offered(runs)), "")


def apart_by_seed(runs: Sequence[Run]) -> list[list[int]]:
    """Places of runs that differ in nothing but their seed, together."""
    places = {run.id: place for place, run in enumerate(runs)}
    return [[places[run.id] for run in group.runs] for group in groups(runs, SAME)]
