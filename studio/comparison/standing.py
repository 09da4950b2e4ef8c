"""Which of several runs is best by a metric on held-out data, how sure that is, and what a gain has cost.

Runs that differ only in their seed are one row. The interval of a row is Student's over its seeds, and two
rows are told apart where Welch's interval of their difference leaves out zero: with one seed nobody can say.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy.orm import Session

from studio import metrics, prices, techniques
from studio.comparison import spent
from studio.comparison.groups import SAME, groups
from studio.evaluations import intervals
from studio.evaluations.intervals import Interval
from studio.models import Run

Better = Literal["lower", "higher"]
UNMEASURED = "None of them was measured on held-out data yet."


@dataclass(frozen=True)
class Gain:
    """How much better a metric became: above zero is good. `why` says why nothing can be told per point."""

    value: float | None
    why: str = ""

    @property
    def counts(self) -> bool:
        return self.value is not None and self.value > 0


@dataclass(frozen=True)
class Standing:
    """A row: runs that differ only in their seed. `seconds` of devices and `cost` are one run's, the mean;
    `is_apart`: whether it is told apart from the best, of the best from the second; None: nobody can say."""

    title: str
    runs: list[Run]
    values: list[float]
    mean: float
    interval: Interval | None
    rank: int
    is_best: bool
    is_apart: bool | None
    seconds: float | None
    cost: prices.Cost | None
    gain: Gain

    @property
    def count(self) -> int:
        return len(self.values)


def judged_by(runs: Sequence[Run]) -> dict[str, Better]:
    """Metrics on held-out data that say which run is better, and which end is; the techniques' own first."""
    own = [techniques.get(run.technique).best_by[0] for run in runs if techniques.has(run.technique)]
    logged = [key for run in runs for key in run.latest if key.startswith("eval_")]
    found = {key: metrics.better(runs, key) for key in dict.fromkeys(own + logged) if key in logged}
    return {key: "lower" if end == "lower" else "higher" for key, end in found.items() if end}


def why_not(runs: Sequence[Run], key: str) -> str:
    """Why these runs cannot be ranked by the metric; empty where they can."""
    measured = [run for run in runs if _value(run, key) is not None]
    if not measured:
        return UNMEASURED
    if not metrics.better(runs, key):
        return "Of this metric it is not known which end is better."
    if any(run.held_out_id is None for run in measured):
        return "Of some it is not known which rows were held out, so their figures do not compare."
    if len({run.held_out_id for run in measured}) > 1:
        return "They were measured on different held-out data, so their figures do not compare."
    if "reward" in key and len({repr(run.graders) for run in measured}) > 1:
        return "Their graders are set differently, so their rewards do not compare."
    if key == "eval_loss" and len({run.technique for run in measured}) > 1:
        return "They are of several techniques, whose losses do not compare."
    return ""


def standing(session: Session, runs: Sequence[Run], key: str, baseline: Run | None = None) -> list[Standing]:
    """The rows of the best-run table, the best first; empty where `why_not` gives a reason. A gain is that
    over the first value that a run logged, or over the newest of `baseline`."""
    if why_not(runs, key):
        return []
    lower = metrics.better(runs, key) == "lower"
    measured = [run for run in runs if _value(run, key) is not None]
    used = spent.of(session, measured)
    rows = []
    for group in groups(measured, SAME):
        values = [float(_value(run, key) or 0.0) for run in group.runs]
        gain = _gain(session, group.runs, key, lower, baseline)
        rows.append((group, values, gain, spent.mean([used[run.id] for run in group.runs])))
    rows.sort(key=lambda row: _mean(row[1]) * (1 if lower else -1))
    best, second = rows[0][1], rows[1][1] if len(rows) > 1 else None
    return [
        Standing(
            title=group.title,
            runs=group.runs,
            values=values,
            mean=_mean(values),
            interval=intervals.of_mean(values),
            rank=place + 1,
            is_best=place == 0,
            is_apart=_are_apart(best, second if place == 0 else values),
            seconds=use.seconds,
            cost=use.cost,
            gain=gain,
        )
        for place, (group, values, gain, use) in enumerate(rows)
    ]


def _value(run: Run, key: str) -> float | None:
    """The newest value; None where there is none or it is no finite number."""
    found = run.latest.get(key)
    return float(found) if isinstance(found, int | float) and math.isfinite(found) else None


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _are_apart(one: Sequence[float], other: Sequence[float] | None) -> bool | None:
    found = intervals.apart(one, other) if other is not None else None
    return found.excludes_zero if found else None


def _gain(session: Session, runs: Sequence[Run], key: str, lower: bool, baseline: Run | None) -> Gain:
    if baseline is not None and _value(baseline, key) is None:
        return Gain(None, "the run to compare with has no such figure")
    gained = []
    for run in runs:
        first = _value(baseline, key) if baseline else metrics.first_value(session, run.id, key)
        newest = _value(run, key)
        if first is None or newest is None:
            return Gain(None, "its first value is not known")
        gained.append(first - newest if lower else newest - first)
    value = _mean(gained)
    return Gain(value, "" if value > 0 else "it became no better")
