"""Lines of one or several runs, in as few points as were asked for.

Where a chart shows fewer points than there are, the outlines of the blocks are read instead of their numbers.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import Row, func, select, tuple_
from sqlalchemy.orm import Session

from studio.metrics import blocks, shelf
from studio.metrics.blocks import OUTLINE, Line
from studio.metrics.describing import describe
from studio.metrics.shelf import THINNED
from studio.metrics.thinning import choose
from studio.models import Metric, MetricBlock, MetricColumn, Run

AnyRow = Row[*tuple[Any, ...]]


@dataclass(frozen=True)
class Wanted:
    """Which part of a run's lines: metrics (none: all), rows after `since`, steps from `low` to `high`, and
    how many points are enough (none: all there are)."""

    keys: frozenset[str] = frozenset()
    since: int = -1
    low: int | None = None
    high: int | None = None
    points: int | None = None


def read(
    session: Session,
    runs: Sequence[Run],
    *,
    after: str = "",
    points: int = 2000,
    keys: Iterable[str] = (),
    low: int | None = None,
    high: int | None = None,
    times: bool = False,
) -> dict[str, Any]:
    """The charts of `runs`: series newer than the cursor `after`, at most `points` a series, from step `low`
    to `high`; with `times` also when each was logged, in seconds since 1970."""
    known = _parse_cursor(after)
    series: dict[str, dict[str, Any]] = {}
    cursor: list[str] = []
    found: set[str] = set()
    for run in runs:
        seen_attempt, seen_seq = known.get(run.id, (run.attempt, -1))
        reset = seen_attempt != run.attempt and seen_seq >= 0
        since = -1 if reset else seen_seq
        wanted = Wanted(frozenset(keys), since, low, high, points)
        drawn, last = _lines(session, run.id, wanted)
        found.update(drawn)
        cursor.append(f"{run.id}:{run.attempt}:{last}")
        more = {"reset": reset or since < 0}
        series[str(run.id)] = {key: _said(line, points, times) | more for key, line in drawn.items()}
    return {"cursor": ",".join(cursor), "series": series, "charts": describe(runs, found)}


def lines(
    session: Session, run_id: int, keys: Iterable[str] = (), *, points: int | None = None
) -> dict[str, Line]:
    """Everything a run logged, by metric, as arrays; with `points` not many more than these."""
    return _lines(session, run_id, Wanted(frozenset(keys), points=points))[0]


def rows(session: Session, run_id: int) -> Iterator[dict[str, Any]]:
    """Everything a run logged, `{"seq", "step", "time", "data"}` a moment; if thinned, what is left."""
    heads = select(MetricBlock.first_seq).where(MetricBlock.run_id == run_id).order_by(MetricBlock.first_seq)
    for first_seq in session.scalars(heads).all():
        (block,) = shelf.take(session, run_id, [first_seq])
        yield from blocks.rows_of(block)
    for row in shelf.loose(session, run_id):
        yield {name: row[name] for name in ("seq", "step", "time", "data")}


def first_value(session: Session, run_id: int, key: str, within: int = 256) -> float | None:
    """The first value of a metric, looked for among the first rows; None where that is no finite number."""
    mine = (MetricColumn.run_id == run_id) & (MetricColumn.key == key)
    packed = select(MetricColumn.outline).where(mine).order_by(MetricColumn.first_seq).limit(1)
    outline = session.scalar(packed)
    if outline:
        value = float(blocks.unpack_line(outline).values[0])
    else:
        early = shelf.loose(session, run_id, limit=within)
        value = next((float(row["data"][key]) for row in early if key in row["data"]), np.nan)
    return value if np.isfinite(value) else None


class Moment(NamedTuple):
    step: int
    time: float


class Ends(NamedTuple):
    """When a run logged first and last."""

    first: Moment
    last: Moment


def ends(session: Session, run_ids: Sequence[int]) -> dict[int, Ends]:
    """The ends of those runs that logged anything."""
    found: dict[int, list[tuple[int, Moment]]] = {}
    for which in (func.min, func.max):
        outer = (
            select(Metric.run_id, which(Metric.seq)).where(Metric.run_id.in_(run_ids)).group_by(Metric.run_id)
        )
        row = select(Metric.run_id, Metric.seq, Metric.step, Metric.time)
        for each in session.execute(row.where(tuple_(Metric.run_id, Metric.seq).in_(outer))):
            found.setdefault(each.run_id, []).append((each.seq, Moment(each.step, each.time)))
    heads = select(*_HEAD, MetricBlock.run_id, MetricBlock.first_time, MetricBlock.last_time)
    for head in session.execute(heads.where(MetricBlock.run_id.in_(run_ids))):
        moments = found.setdefault(head.run_id, [])
        moments.append((head.first_seq, Moment(head.low_step, head.first_time)))
        moments.append((head.last_seq, Moment(head.high_step, head.last_time)))
    return {run_id: Ends(min(each)[1], max(each)[1]) for run_id, each in found.items()}


_HEAD = (
    MetricBlock.first_seq,
    MetricBlock.last_seq,
    MetricBlock.level,
    MetricBlock.rows,
    MetricBlock.low_step,
    MetricBlock.high_step,
)


def _lines(session: Session, run_id: int, wanted: Wanted) -> tuple[dict[str, Line], int]:
    """The wanted lines, and the seq of the newest row."""
    loose = shelf.loose(session, run_id, since=wanted.since)
    found = session.execute(
        select(*_HEAD)
        .where(MetricBlock.run_id == run_id, MetricBlock.last_seq > wanted.since)
        .order_by(MetricBlock.first_seq)
    ).all()
    last = max([wanted.since, *(head.last_seq for head in found[-1:]), *(row["seq"] for row in loose[-1:])])
    heads = [head for head in found if _share(head, wanted) > 0]
    many = sum(head.rows * _share(head, wanted) for head in heads) + len(loose)
    rough = wanted.points is not None and many > wanted.points * OUTLINE / 2
    outlined = [head for head in heads if _is_outlined(head, rough, wanted)]
    exact = [head for head in heads if not _is_outlined(head, rough, wanted)]
    parts: dict[str, dict[int, Line]] = {}
    for first_seq, key, line in _outlines(session, run_id, wanted, outlined):
        parts.setdefault(key, {})[first_seq] = line
    for first_seq, key, line, rows in _numbers(session, run_id, wanted, exact, loose):
        parts.setdefault(key, {})[first_seq] = blocks.outline(line, rows) if rough else line
    joined = {key: blocks.joined_lines([of[at] for at in sorted(of)]) for key, of in parts.items()}
    return {key: line for key, each in joined.items() if len(line := _between(each, wanted))}, last


def _is_outlined(head: AnyRow, rough: bool, wanted: Wanted) -> bool:
    """Whether its outline is enough. A block that the cursor stands in is read point by point."""
    return head.level == THINNED or (rough and head.first_seq > wanted.since)


def _share(head: AnyRow, wanted: Wanted) -> float:
    """About which part of a block lies between the wanted steps."""
    low = head.low_step if wanted.low is None else max(head.low_step, wanted.low)
    high = head.high_step if wanted.high is None else min(head.high_step, wanted.high)
    return max(0.0, (high - low + 1) / (head.high_step - head.low_step + 1))


def _outlines(
    session: Session, run_id: int, wanted: Wanted, heads: Sequence[AnyRow]
) -> Iterator[tuple[int, str, Line]]:
    if not heads:
        return
    columns = select(MetricColumn.first_seq, MetricColumn.key, MetricColumn.outline)
    for first_seq, key, outline in session.execute(_of(columns, run_id, wanted, heads)):
        yield first_seq, key, blocks.unpack_line(outline)


def _numbers(
    session: Session,
    run_id: int,
    wanted: Wanted,
    heads: Sequence[AnyRow],
    loose: Sequence[Mapping[str, Any]],
) -> Iterator[tuple[int, str, Line, int]]:
    """Every point of those blocks and of the loose rows, with how many rows its block has."""
    if heads:
        mine = (MetricBlock.run_id == run_id) & MetricBlock.first_seq.in_([head.first_seq for head in heads])
        packed = session.execute(select(MetricBlock.first_seq, MetricBlock.moments).where(mine)).all()
        moments = {first_seq: blocks.unpack_moments(each) for first_seq, each in packed}
        columns = select(MetricColumn.first_seq, MetricColumn.key, MetricColumn.places, MetricColumn.numbers)
        for first_seq, key, places, numbers in session.execute(_of(columns, run_id, wanted, heads)):
            at, column = moments[first_seq], blocks.unpack_column(places, numbers)
            line = blocks.line_of(at, column)
            if first_seq <= wanted.since:
                line = line.take(at.seqs[column.places] > wanted.since)
            yield first_seq, key, line, len(at)
    if loose:
        block = blocks.of_rows(loose, wanted.keys)
        for key in block.columns:
            yield loose[0]["seq"], key, block.line(key), len(loose)


def _of(columns: Any, run_id: int, wanted: Wanted, heads: Sequence[AnyRow]) -> Any:
    mine = columns.where(MetricColumn.run_id == run_id)
    mine = mine.where(MetricColumn.first_seq.in_([head.first_seq for head in heads]))
    return mine.where(MetricColumn.key.in_(wanted.keys)) if wanted.keys else mine


def _between(line: Line, wanted: Wanted) -> Line:
    if wanted.low is None and wanted.high is None:
        return line
    low = line.steps[0] if wanted.low is None else wanted.low
    high = line.steps[-1] if wanted.high is None else wanted.high
    return line.take((line.steps >= low) & (line.steps <= high))


def _said(line: Line, points: int, times: bool) -> dict[str, Any]:
    if len(line) > points:
        line = line.take(choose(line.steps.astype(np.float64), line.values, points))
    values: list[float | None] = line.values.tolist()
    for place in np.flatnonzero(~np.isfinite(line.values)).tolist():
        values[place] = None
    return {"steps": line.steps.tolist(), "values": values} | (
        {"times": line.times.tolist()} if times else {}
    )


def _parse_cursor(cursor: str) -> dict[int, tuple[int, int]]:
    """`run:attempt:seq,…` as {run: (attempt, seq)}; anything else reads as "from the start"."""
    known = {}
    for part in filter(None, cursor.split(",")):
        numbers = part.split(":")
        if len(numbers) == 3 and all(n.lstrip("-").isdigit() for n in numbers):
            run, attempt, seq = map(int, numbers)
            known[run] = (attempt, seq)
    return known
