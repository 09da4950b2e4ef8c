"""Lines of one or several runs, in as few points as were asked for.

Where a chart shows fewer points than there are, the outlines of the blocks are read instead of their numbers.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import ColumnElement, Row, false, func, or_, select, tuple_
from sqlalchemy.orm import Session

from studio import db
from studio.metrics import blocks, recent, shelf
from studio.metrics.blocks import OUTLINE, Line
from studio.metrics.describing import describe
from studio.metrics.recent import Shown, Whole
from studio.metrics.shelf import THINNED
from studio.metrics.thinning import Floats, choose
from studio.models import Metric, MetricBlock, MetricColumn, Run

AnyRow = Row[*tuple[Any, ...]]
DIGITS = 7  # significant, of a value in an answer; exports have them all


@dataclass(frozen=True)
class Wanted:
    """Which part of the lines: of each run the rows after a seq, some metrics (none: all), steps from `low`
    to `high`, and how many points are enough (none: all there are)."""

    since: Mapping[int, int]
    keys: frozenset[str] = frozenset()
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
    to `high`; with `times` also when each was logged, in seconds since 1970. A series of which there are
    more points says `thinned`. What charts mean is said only without a cursor; later `described` tells."""
    known = _parse_cursor(after)
    seen = {run.id: known.get(run.id, (run.attempt, -1)) for run in runs}
    reset = {run.id for run in runs if seen[run.id][0] != run.attempt and seen[run.id][1] >= 0}
    since = {run.id: -1 if run.id in reset else seen[run.id][1] for run in runs}
    found = _shown(session, runs, Wanted(since, frozenset(keys), low, high, points))
    series = {
        str(run.id): {
            key: _said(shown, times) | {"reset": since[run.id] < 0}
            for key, shown in found[run.id].lines.items()
        }
        for run in runs
    }
    return {
        "cursor": ",".join(f"{run.id}:{run.attempt}:{found[run.id].last}" for run in runs),
        "series": series,
        "charts": [] if after else describe(runs, {key for whole in found.values() for key in whole.lines}),
    }


def described(session: Session, runs: Sequence[Run]) -> list[dict[str, Any]]:
    """What every metric means that these runs have logged."""
    ids = [run.id for run in runs]
    packed = session.scalars(select(MetricColumn.key).where(MetricColumn.run_id.in_(ids)).distinct())
    loose = shelf.loose_of(session, dict.fromkeys(ids, -1))
    return describe(runs, {*packed, *(key for rows in loose.values() for row in rows for key in row["data"])})


def lines(
    session: Session, run_id: int, keys: Iterable[str] = (), *, points: int | None = None
) -> dict[str, Line]:
    """Everything a run logged, by metric, as arrays; with `points` not many more than these."""
    return _lines(session, Wanted({run_id: -1}, frozenset(keys), points=points))[0][run_id]


def rows(session: Session, run_id: int, *, low: int | None = None) -> Iterator[dict[str, Any]]:
    """Everything a run logged, `{"seq", "step", "time", "data"}` a moment, from step `low` on; if thinned,
    what is left."""
    heads = select(MetricBlock.first_seq).where(MetricBlock.run_id == run_id).order_by(MetricBlock.first_seq)
    if low is not None:
        heads = heads.where(MetricBlock.high_step >= low)
    for first_seq in session.scalars(heads).all():
        (block,) = shelf.take(session, run_id, [first_seq])
        yield from (row for row in blocks.rows_of(block) if low is None or row["step"] >= low)
    for row in shelf.loose(session, run_id):
        if low is None or row["step"] >= low:
            yield {name: row[name] for name in ("seq", "step", "time", "data")}


def moments(session: Session, run_id: int) -> int:
    """At how many moments a run logged something."""
    packed = select(func.coalesce(func.sum(MetricBlock.rows), 0)).where(MetricBlock.run_id == run_id)
    loose = select(func.count()).select_from(Metric).where(Metric.run_id == run_id)
    return (session.scalar(packed) or 0) + (session.scalar(loose) or 0)


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
    heads = select(*_HEAD, MetricBlock.first_time, MetricBlock.last_time)
    for head in session.execute(heads.where(MetricBlock.run_id.in_(run_ids))):
        moments = found.setdefault(head.run_id, [])
        moments.append((head.first_seq, Moment(head.low_step, head.first_time)))
        moments.append((head.last_seq, Moment(head.high_step, head.last_time)))
    return {run_id: Ends(min(each)[1], max(each)[1]) for run_id, each in found.items()}


_HEAD = (
    MetricBlock.run_id,
    MetricBlock.first_seq,
    MetricBlock.last_seq,
    MetricBlock.level,
    MetricBlock.rows,
    MetricBlock.low_step,
    MetricBlock.high_step,
)
Part = tuple[int, int, str, Line]  # run, first seq, metric, its line there


def _lines(session: Session, wanted: Wanted) -> tuple[dict[int, dict[str, Line]], dict[int, int], set[int]]:
    """The wanted lines of each run, the seq of its newest row, and of which runs outlines were read. Every
    table is asked once for all runs."""
    loose = shelf.loose_of(session, wanted.since)
    newer = [(MetricBlock.run_id == run) & (MetricBlock.last_seq > seq) for run, seq in wanted.since.items()]
    heads = session.execute(select(*_HEAD).where(or_(false(), *newer)).order_by(MetricBlock.first_seq)).all()
    last = dict(wanted.since)
    last |= {head.run_id: head.last_seq for head in heads}
    last |= {run_id: rows[-1]["seq"] for run_id, rows in loose.items()}
    heads = [head for head in heads if _share(head, wanted) > 0]
    rough = _rough(heads, loose, wanted)
    outlined = [head for head in heads if _is_outlined(head, rough, wanted)]
    exact = [head for head in heads if not _is_outlined(head, rough, wanted)]
    parts: dict[tuple[int, str], dict[int, Line]] = {}
    for run_id, first_seq, key, line in _outlines(session, wanted, outlined):
        parts.setdefault((run_id, key), {})[first_seq] = line
    for (run_id, first_seq, key, line), rows in _numbers(session, wanted, exact, loose):
        shown = blocks.outline(line, rows) if run_id in rough else line
        parts.setdefault((run_id, key), {})[first_seq] = shown
    found: dict[int, dict[str, Line]] = {run_id: {} for run_id in wanted.since}
    for (run_id, key), of in parts.items():
        line = _between(blocks.joined_lines([of[at] for at in sorted(of)]), wanted)
        if len(line):
            found[run_id][key] = line
    return found, last, rough


def _rough(heads: Sequence[AnyRow], loose: Mapping[int, Sequence[Any]], wanted: Wanted) -> set[int]:
    """Runs with so many rows that outlines have points enough."""
    if wanted.points is None:
        return set()
    many = {run_id: float(len(rows)) for run_id, rows in loose.items()}
    for head in heads:
        many[head.run_id] = many.get(head.run_id, 0.0) + head.rows * _share(head, wanted)
    return {run_id for run_id, rows in many.items() if rows > wanted.points * OUTLINE / 2}


def _is_outlined(head: AnyRow, rough: Container[int], wanted: Wanted) -> bool:
    """Whether its outline is enough. A block that the cursor stands in is read point by point."""
    return head.level == THINNED or (head.run_id in rough and head.first_seq > wanted.since[head.run_id])


def _share(head: AnyRow, wanted: Wanted) -> float:
    """About which part of a block lies between the wanted steps."""
    low = head.low_step if wanted.low is None else max(head.low_step, wanted.low)
    high = head.high_step if wanted.high is None else min(head.high_step, wanted.high)
    return max(0.0, (high - low + 1) / (head.high_step - head.low_step + 1))


def _outlines(session: Session, wanted: Wanted, heads: Sequence[AnyRow]) -> Iterator[Part]:
    for each in _columns(session, wanted, heads, MetricColumn.outline):
        yield each.run_id, each.first_seq, each.key, blocks.unpack_line(each.outline)


def _numbers(
    session: Session, wanted: Wanted, heads: Sequence[AnyRow], loose: Mapping[int, Sequence[dict[str, Any]]]
) -> Iterator[tuple[Part, int]]:
    """Every point of those blocks and of the loose rows, with how many rows its block has."""
    packed = select(MetricBlock.run_id, MetricBlock.first_seq, MetricBlock.moments)
    asked = packed.where(_in(MetricBlock, heads)) if heads else None
    moments = {
        (each.run_id, each.first_seq): blocks.unpack_moments(each.moments)
        for each in (session.execute(asked) if asked is not None else ())
    }
    for each in _columns(session, wanted, heads, MetricColumn.places, MetricColumn.numbers):
        at = moments[each.run_id, each.first_seq]
        column = blocks.unpack_column(each.places, each.numbers)
        line, since = blocks.line_of(at, column), wanted.since[each.run_id]
        if each.first_seq <= since:
            line = line.take(at.seqs[column.places] > since)
        yield (each.run_id, each.first_seq, each.key, line), len(at)
    for run_id, rows in loose.items():
        block = blocks.of_rows(rows, wanted.keys)
        for key in block.columns:
            yield (run_id, rows[0]["seq"], key, block.line(key)), len(rows)


def _columns(session: Session, wanted: Wanted, heads: Sequence[AnyRow], *what: Any) -> Iterable[AnyRow]:
    if not heads:
        return ()
    columns = select(MetricColumn.run_id, MetricColumn.first_seq, MetricColumn.key, *what)
    columns = columns.where(_in(MetricColumn, heads))
    return session.execute(columns.where(MetricColumn.key.in_(wanted.keys)) if wanted.keys else columns)


def _in(table: type[MetricBlock] | type[MetricColumn], heads: Sequence[AnyRow]) -> ColumnElement[bool]:
    """Rows of those blocks."""
    of_runs: dict[int, list[int]] = {}
    for head in heads:
        of_runs.setdefault(head.run_id, []).append(head.first_seq)
    return or_(*((table.run_id == run) & table.first_seq.in_(firsts) for run, firsts in of_runs.items()))


def _between(line: Line, wanted: Wanted) -> Line:
    if wanted.low is None and wanted.high is None:
        return line
    low = line.steps[0] if wanted.low is None else wanted.low
    high = line.steps[-1] if wanted.high is None else wanted.high
    return line.take((line.steps >= low) & (line.steps <= high))


def _shown(session: Session, runs: Sequence[Run], wanted: Wanted) -> dict[int, Whole]:
    """What charts get of each run: from memory where the whole of it was asked for in the same way before.
    Who is writing reads what is not there yet for anybody else, and that is not kept."""
    is_whole = wanted.low is None and wanted.high is None and db.only_reads(session)
    asked = [run for run in runs if wanted.since[run.id] < 0] if is_whole else []
    signs = recent.signs(session, asked) if asked else {}
    names = {run_id: (run_id, wanted.keys, wanted.points) for run_id in signs}
    answers = {run_id: recent.find(name, signs[run_id]) for run_id, name in names.items()}
    found = {run_id: whole for run_id, whole in answers.items() if whole}
    since = {run_id: seq for run_id, seq in wanted.since.items() if run_id not in found}
    if since:
        lines, last, rough = _lines(session, replace(wanted, since=since))
        for run_id, of in lines.items():
            shown = {key: _thinned(line, wanted.points, run_id in rough) for key, line in of.items()}
            found[run_id] = Whole(last[run_id], shown)
            if run_id in names:
                recent.keep(names[run_id], signs[run_id], found[run_id])
    return found


def _thinned(line: Line, points: int | None, outlined: bool) -> Shown:
    """At most so many points of it, with as many digits as a chart can show."""
    more = points is not None and len(line) > points
    if points is not None and more:
        line = line.take(choose(line.steps.astype(np.float64), line.values, points))
    return Shown(Line(line.steps, np.round(line.times, 3), _short(line.values)), outlined or more)


def _said(shown: Shown, times: bool) -> dict[str, Any]:
    line = shown.line
    values: list[float | None] = line.values.tolist()
    for place in np.flatnonzero(~np.isfinite(line.values)).tolist():
        values[place] = None
    said: dict[str, Any] = {"steps": line.steps.tolist(), "values": values}
    return (
        said
        | ({"times": line.times.tolist()} if times else {})
        | ({"thinned": True} if shown.is_thinned else {})
    )


def _short(values: Floats) -> Floats:
    """To `DIGITS` significant digits, which no chart can tell from all of them; whole numbers as they are."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        size = np.floor(np.log10(np.abs(values)))
        up = 10.0 ** np.clip(DIGITS - 1 - size, 0, 22)
        down = 10.0 ** np.clip(size - DIGITS + 1, 0, 22)
        short = np.rint(values * up / down) * down / up
        return np.where((values == np.rint(values)) | ~np.isfinite(short), values, short)


def _parse_cursor(cursor: str) -> dict[int, tuple[int, int]]:
    """`run:attempt:seq,…` as {run: (attempt, seq)}; anything else reads as "from the start"."""
    known = {}
    for part in filter(None, cursor.split(",")):
        numbers = part.split(":")
        if len(numbers) == 3 and all(n.lstrip("-").isdigit() for n in numbers):
            run, attempt, seq = map(int, numbers)
            known[run] = (attempt, seq)
    return known
