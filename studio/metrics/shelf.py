"""Blocks in the database: put there, taken out whole, removed. The only place that knows both."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson
from sqlalchemy import Row, Text, cast, delete, false, func, insert, or_, select
from sqlalchemy.orm import Session

from studio.metrics import blocks
from studio.metrics.blocks import Block, Column, Moments
from studio.models import Metric, MetricBlock, MetricColumn

SIZES = (256, 4096, 65_536)  # rows of a block, by level
THINNED = 9  # the level of a block of which only the outlines are kept


def put(session: Session, run_id: int, block: Block, level: int) -> None:
    moments = block.moments
    head = {
        "run_id": run_id,
        "first_seq": int(moments.seqs[0]),
        "last_seq": int(moments.seqs[-1]),
        "level": level,
        "rows": len(moments),
        "low_step": int(moments.steps.min()),
        "high_step": int(moments.steps.max()),
        "first_time": float(moments.times[0]),
        "last_time": float(moments.times[-1]),
        "moments": b"" if level == THINNED else blocks.pack_moments(moments),
    }
    session.execute(insert(MetricBlock), head)
    columns = []
    for key, column in block.columns.items():
        line, (places, numbers) = block.line(key), (b"", b"")
        if level != THINNED:
            line = blocks.outline(line, len(moments))
            places, numbers = blocks.pack_column(column, len(moments))
        packed = {"outline": blocks.pack_line(line), "places": places, "numbers": numbers}
        columns.append({"run_id": run_id, "key": key, "first_seq": head["first_seq"], **packed})
    if columns:
        session.execute(insert(MetricColumn), columns)


def take(session: Session, run_id: int, first_seqs: Sequence[int]) -> list[Block]:
    """Whole blocks, in order. Of one that was thinned, what is left."""
    heads = session.execute(
        select(MetricBlock.first_seq, MetricBlock.level, MetricBlock.moments)
        .where(MetricBlock.run_id == run_id, MetricBlock.first_seq.in_(first_seqs))
        .order_by(MetricBlock.first_seq)
    ).all()
    columns: dict[int, list[Row[*tuple[Any, ...]]]] = {head.first_seq: [] for head in heads}
    for column in session.execute(
        select(*MetricColumn.__table__.columns)
        .where(MetricColumn.run_id == run_id, MetricColumn.first_seq.in_(first_seqs))
        .order_by(MetricColumn.key)
    ):
        columns[column.first_seq].append(column)
    return [_unpacked(head, columns[head.first_seq]) for head in heads]


def _unpacked(head: Row[*tuple[Any, ...]], columns: list[Row[*tuple[Any, ...]]]) -> Block:
    if head.level != THINNED:
        found = {each.key: blocks.unpack_column(each.places, each.numbers) for each in columns}
        return Block(blocks.unpack_moments(head.moments), found)
    lines = {each.key: blocks.unpack_line(each.outline) for each in columns}
    at = [np.rec.fromarrays([line.times, line.steps]) for line in lines.values()]
    known = np.unique(np.concatenate(at)) if at else np.rec.fromarrays([[], []], dtype="f8,i8")
    moments = Moments(np.arange(len(known)) + head.first_seq, known["f1"].copy(), known["f0"].copy())
    places = [np.searchsorted(known, each) for each in at]
    found = {
        key: Column(place, line.values) for (key, line), place in zip(lines.items(), places, strict=True)
    }
    return Block(moments, found)


def remove(session: Session, run_id: int, first_seqs: Sequence[int]) -> None:
    for table in (MetricColumn, MetricBlock):
        session.execute(delete(table).where(table.run_id == run_id, table.first_seq.in_(first_seqs)))


def last_packed(session: Session, run_id: int) -> int:
    """The seq of the newest row in a block; -1 where there is none."""
    last = session.scalar(select(func.max(MetricBlock.last_seq)).where(MetricBlock.run_id == run_id))
    return -1 if last is None else last


def loose(session: Session, run_id: int, *, limit: int | None = None) -> list[dict[str, Any]]:
    """The rows of a run that are in no block yet, the oldest first."""
    found = select(*_ROW).where(Metric.run_id == run_id).order_by(Metric.seq).limit(limit)
    return [_row(*each) for each in session.execute(found)]


def loose_of(session: Session, since: Mapping[int, int]) -> dict[int, list[dict[str, Any]]]:
    """The same of several runs, of each the rows after a seq; without the runs that have none."""
    newer = [(Metric.run_id == run_id) & (Metric.seq > seq) for run_id, seq in since.items()]
    rows: dict[int, list[dict[str, Any]]] = {}
    for each in session.execute(select(*_ROW).where(or_(false(), *newer)).order_by(Metric.seq)):
        rows.setdefault(each[0], []).append(_row(*each))
    return rows


# As text: orjson reads it several times faster than what reads it by default.
_ROW = (Metric.run_id, Metric.seq, Metric.step, Metric.time, cast(Metric.data, Text))


def _row(run_id: int, seq: int, step: int, time: float, data: str) -> dict[str, Any]:
    return {"run_id": run_id, "seq": seq, "step": step, "time": time, "data": orjson.loads(data)}
