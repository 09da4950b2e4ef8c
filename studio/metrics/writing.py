"""Rows come in, full blocks are packed, blocks of one size become one of the next, and a rewind cuts them.

All of it happens in the transaction that notes how far the spool was read: exactly once. Blocks of a run
follow one another, larger ones first, and every row that is not in one is newer than all of them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from studio.metrics import blocks, shelf
from studio.metrics.shelf import SIZES, THINNED
from studio.models import Checkpoint, Metric, MetricBlock, MetricColumn, Sample

GROW = 16  # blocks of a level that become one of the next


def append(session: Session, run_id: int, rows: Sequence[Mapping[str, Any]]) -> None:
    """Adds rows `{"step", "time", "data": {key: value}}` after the ones there are. A value that is no finite
    number comes by name ("NaN", "Infinity"): JSON knows no such numbers, and PostgreSQL refuses them."""
    if not rows:
        return
    first, last = _ends_of_loose(session, run_id)
    waiting = 0 if first is None or last is None else last - first + 1
    begin = (shelf.last_packed(session, run_id) if last is None else last) + 1
    fresh = [
        {"run_id": run_id, "seq": begin + i, "step": row["step"], "time": row["time"], "data": row["data"]}
        for i, row in enumerate(rows)
    ]
    if waiting + len(fresh) < SIZES[0]:
        session.execute(insert(Metric), fresh)
    elif waiting < SIZES[-1]:
        found = shelf.loose(session, run_id) + fresh
        session.execute(delete(Metric).where(Metric.run_id == run_id))
        left = _pack(session, run_id, found)
        if left:
            session.execute(insert(Metric), left)
    else:  # logged before there were blocks: one large block each time until it is done
        session.execute(insert(Metric), fresh)
        pack_loose(session, run_id)


def pack_loose(session: Session, run_id: int) -> bool:
    """Packs up to one large block of the rows that are in none; whether some were packed."""
    found = shelf.loose(session, run_id, limit=SIZES[-1])
    left = _pack(session, run_id, found)
    packed = found[: len(found) - len(left)]
    if packed:
        session.execute(delete(Metric).where(Metric.run_id == run_id, Metric.seq <= packed[-1]["seq"]))
    return bool(packed)


def rewind(session: Session, run_id: int, step: int) -> None:
    """Forgets everything after `step`: the trainer went back to the checkpoint there."""
    for table in (Metric, Sample, Checkpoint):
        session.execute(delete(table).where(table.run_id == run_id, table.step > step))
    beyond = session.execute(
        select(MetricBlock.first_seq, MetricBlock.level, MetricBlock.low_step).where(
            MetricBlock.run_id == run_id, MetricBlock.high_step > step
        )
    ).all()
    for head in beyond:
        (block,) = shelf.take(session, run_id, [head.first_seq])
        shelf.remove(session, run_id, [head.first_seq])
        kept = block.moments.steps <= step
        if kept.any():
            shelf.put(session, run_id, blocks.cut(block, kept), head.level)


def thin_run(session: Session, run_id: int) -> int:
    """Keeps of a run's larger blocks only the outlines; returns how many moments that were."""
    mine = (MetricBlock.run_id == run_id, MetricBlock.level.in_([1, 2]))
    found = session.execute(select(MetricBlock.first_seq, MetricBlock.rows).where(*mine)).all()
    column = update(MetricColumn).where(
        MetricColumn.run_id == run_id, MetricColumn.first_seq.in_([each.first_seq for each in found])
    )
    session.execute(column.values(places=b"", numbers=b""))
    session.execute(update(MetricBlock).where(*mine).values(level=THINNED, moments=b""))
    return sum(each.rows for each in found)


def is_thinned(session: Session, run_id: int) -> bool:
    """Whether only an outline is kept of some of what the run logged."""
    mine = select(MetricBlock.first_seq).where(MetricBlock.run_id == run_id, MetricBlock.level == THINNED)
    return session.scalar(mine.limit(1)) is not None


def _ends_of_loose(session: Session, run_id: int) -> tuple[int | None, int | None]:
    """The first and last seq of the rows in no block; asked one by one, each is a look at an index."""
    mine = Metric.run_id == run_id
    last = session.scalar(select(func.max(Metric.seq)).where(mine))
    return (None if last is None else session.scalar(select(func.min(Metric.seq)).where(mine))), last


def _pack(session: Session, run_id: int, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Makes blocks of `rows`, the largest that may follow those there are; returns the rows left over."""
    at = 0
    while len(rows) - at >= SIZES[0]:
        level = min(_smallest(session, run_id), _fitting(len(rows) - at))
        shelf.put(session, run_id, blocks.of_rows(rows[at : at + SIZES[level]]), level)
        at += SIZES[level]
        _grow(session, run_id)
    return list(rows[at:])


def _fitting(rows: int) -> int:
    return max(level for level, size in enumerate(SIZES) if size <= rows)


def _smallest(session: Session, run_id: int) -> int:
    """The level of the newest block: a larger one may not follow it."""
    newest = select(MetricBlock.level).where(MetricBlock.run_id == run_id)
    level = session.scalar(newest.order_by(MetricBlock.first_seq.desc()).limit(1))
    return len(SIZES) - 1 if level is None or level == THINNED else level


def _grow(session: Session, run_id: int) -> None:
    for level in range(len(SIZES) - 1):
        mine = select(MetricBlock.first_seq).where(MetricBlock.run_id == run_id, MetricBlock.level == level)
        found = session.scalars(mine.order_by(MetricBlock.first_seq)).all()
        if len(found) < GROW:
            return
        made = blocks.joined(shelf.take(session, run_id, found))
        shelf.remove(session, run_id, found)
        shelf.put(session, run_id, made, level + 1)
