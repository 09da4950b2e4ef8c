"""What trainers logged: stored once each, read back thinned for a chart.

A row holds all values of one moment. Reading goes by cursor, so that a page asks only for what is new;
when a run went back to a checkpoint the answer says `reset` and sends the series anew.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from fnmatch import fnmatchcase
from typing import Any

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from studio import techniques
from studio.models import Checkpoint, Metric, Run, Sample
from studio.techniques import Healthy, MetricInfo


def append(session: Session, run_id: int, rows: Sequence[dict[str, Any]]) -> None:
    """Adds rows `{"step", "time", "data": {key: value}}` after the ones there are. A value that is no finite
    number comes by name ("NaN", "Infinity"): JSON knows no such numbers, and PostgreSQL refuses them."""
    if not rows:
        return
    last = session.scalar(select(func.max(Metric.seq)).where(Metric.run_id == run_id))
    first = 0 if last is None else last + 1
    session.execute(
        insert(Metric),
        [
            {
                "run_id": run_id,
                "seq": first + i,
                "step": r["step"],
                "time": r["time"],
                "data": r["data"],
            }
            for i, r in enumerate(rows)
        ],
    )


def rewind(session: Session, run_id: int, step: int) -> None:
    """Forgets everything after `step`: the trainer went back to the checkpoint there."""
    for table in (Metric, Sample, Checkpoint):
        session.execute(delete(table).where(table.run_id == run_id, table.step > step))


def read(
    session: Session, runs: Sequence[Run], *, after: str = "", points: int = 2000, keys: Iterable[str] = ()
) -> dict[str, Any]:
    """The charts of `runs`: series newer than the cursor `after`, at most `points` a series (both extremes of
    every bucket are kept, so no spike is lost)."""
    known = _parse_cursor(after)
    wanted = set(keys)
    series: dict[str, dict[str, Any]] = {}
    cursor: list[str] = []
    found: set[str] = set()
    for run in runs:
        seen_attempt, seen_seq = known.get(run.id, (run.attempt, -1))
        reset = seen_attempt != run.attempt and seen_seq >= 0
        since = -1 if reset else seen_seq
        columns, last = _columns(session, run.id, since, wanted)
        found.update(columns)
        cursor.append(f"{run.id}:{run.attempt}:{last}")
        series[str(run.id)] = {
            key: {"steps": steps, "values": values, "reset": reset or since < 0}
            for key, (steps, values) in ((k, thin(s, v, points)) for k, (s, v) in columns.items())
        }
    return {"cursor": ",".join(cursor), "series": series, "charts": describe(runs, found)}


def describe(runs: Sequence[Run], keys: Iterable[str]) -> list[dict[str, Any]]:
    """Title, group, unit, meaning and healthy range of each key, in the order the runs' techniques list them.
    Where techniques disagree about what is healthy, as GRPO and GSPO do about clipping, nothing is said."""
    names = dict.fromkeys(run.technique for run in runs if techniques.has(run.technique))
    lists = [techniques.get(name).metrics for name in names]
    known = [info for metrics in lists for info in metrics]
    found = [(*_info(known, key), key) for key in set(keys)]
    return [
        _chart(key, info, agreed=len({_healthy(metrics, key) for metrics in lists}) == 1)
        for _, info, key in sorted(found, key=lambda each: (each[0], each[2]))
    ]


def _info(known: Sequence[MetricInfo], key: str) -> tuple[float, MetricInfo | None]:
    """Where `key` stands among the metrics of the techniques, and what it is. A `*` in a key of theirs stands
    for a name, such as a grader's; `eval_` before a key for the same on held-out data."""
    for place, info in enumerate(known):
        if info.key == key:
            return float(place), info
    for place, info in enumerate(known):
        if "*" in info.key and fnmatchcase(key, info.key):
            head, tail = info.key.split("*", 1)
            name = key[len(head) : len(key) - len(tail) or None]
            return place, replace(info, key=key, title=info.title.replace("*", name))
    if key.startswith("eval_"):
        beside, info_of = _info(known, key.removeprefix("eval_"))
        if info_of is not None:
            return beside + 0.5, replace(info_of, key=key, title=f"{info_of.title}, held out")
    return math.inf, None


def _healthy(known: Sequence[MetricInfo], key: str) -> Healthy | None:
    info = _info(known, key)[1]
    return info.healthy if info else None


def thin(steps: list[float], values: list[float | None], points: int) -> tuple[list[float], list[Any]]:
    """At most `points` of a series: the lowest and highest value of each of points/2 equal buckets."""
    if len(steps) <= points:
        return steps, values
    import numpy as np  # not needed by those who only write

    numbers = np.array([math.nan if value is None else value for value in values], dtype=np.float64)
    buckets = np.array_split(np.arange(len(numbers)), max(points // 2, 1))
    kept: set[int] = {0, len(numbers) - 1}
    for bucket in buckets:
        part = numbers[bucket]
        if np.isnan(part).all():
            kept.add(int(bucket[0]))
            continue
        kept.update((int(bucket[np.nanargmin(part)]), int(bucket[np.nanargmax(part)])))
    order = sorted(kept)
    return [steps[i] for i in order], [values[i] for i in order]


def _columns(
    session: Session, run_id: int, since: int, wanted: set[str]
) -> tuple[dict[str, tuple[list[float], list[float | None]]], int]:
    columns: dict[str, tuple[list[float], list[float | None]]] = {}
    last = since
    rows = session.execute(
        select(Metric.seq, Metric.step, Metric.data)
        .where(Metric.run_id == run_id, Metric.seq > since)
        .order_by(Metric.seq)
    )
    for seq, step, data in rows:
        last = seq
        for key, value in data.items():
            if wanted and key not in wanted:
                continue
            steps, values = columns.setdefault(key, ([], []))
            steps.append(step)
            values.append(None if isinstance(value, str) else value)
    return columns, last


def _chart(key: str, info: MetricInfo | None, *, agreed: bool) -> dict[str, Any]:
    shown = info or MetricInfo(key, key.replace("_", " "), "Other", "")
    names = ("key", "title", "group", "unit", "help", "exact")
    healthy = shown.healthy and asdict(shown.healthy) | {"words": shown.healthy_words()}
    return {name: getattr(shown, name) for name in names} | {"healthy": healthy if agreed else None}


def _parse_cursor(cursor: str) -> dict[int, tuple[int, int]]:
    """`run:attempt:seq,…` as {run: (attempt, seq)}; anything else reads as "from the start"."""
    known = {}
    for part in filter(None, cursor.split(",")):
        numbers = part.split(":")
        if len(numbers) == 3 and all(n.lstrip("-").isdigit() for n in numbers):
            run, attempt, seq = map(int, numbers)
            known[run] = (attempt, seq)
    return known
