"""Lines as charts were last shown them, kept in memory: charts that are opened again, or by several people,
are not read and thinned anew.

An entry is named by all that decides what it holds (`signs`): a run that goes on, begins again or is thinned
is simply not found under its old name. What was not asked for longest is forgotten first.
"""

import threading
from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from studio.metrics.blocks import Line
from studio.models import Metric, MetricBlock, Run

MOST = 16 * 2**20  # bytes of lines kept


@dataclass(frozen=True)
class Shown:
    """A line in the points that a chart gets of it; `is_thinned`: there are more."""

    line: Line
    is_thinned: bool


@dataclass(frozen=True)
class Whole:
    """All lines of a run, and the seq of its newest row."""

    last: int
    lines: Mapping[str, Shown]

    @property
    def size(self) -> int:
        """Bytes of its numbers."""
        return sum(24 * len(shown.line) for shown in self.lines.values())


def signs(session: Session, runs: Sequence[Run]) -> dict[int, Hashable]:
    """What stands for all that each run has logged: it changes whenever that does."""
    ids = [run.id for run in runs]
    about = func.count(), func.sum(MetricBlock.level), func.max(MetricBlock.last_seq)
    packed = (
        select(MetricBlock.run_id, *about).where(MetricBlock.run_id.in_(ids)).group_by(MetricBlock.run_id)
    )
    newest = select(Metric.run_id, func.max(Metric.seq)).where(Metric.run_id.in_(ids)).group_by(Metric.run_id)
    blocks = {run_id: tuple(rest) for run_id, *rest in session.execute(packed)}
    loose = {each.run_id: each[1] for each in session.execute(newest)}
    place = str(session.get_bind().engine.url)
    return {
        run.id: (place, run.id, run.created, run.attempt, blocks.get(run.id), loose.get(run.id))
        for run in runs
    }


_kept: OrderedDict[Hashable, Whole] = OrderedDict()
_lock = threading.Lock()
_held = 0


def find(name: Hashable) -> Whole | None:
    with _lock:
        if name in _kept:
            _kept.move_to_end(name)
        return _kept.get(name)


def keep(name: Hashable, whole: Whole) -> None:
    global _held
    with _lock:
        if name not in _kept and whole.size <= MOST:
            _kept[name] = whole
            _held += whole.size
        while _held > MOST:
            _held -= _kept.popitem(last=False)[1].size
