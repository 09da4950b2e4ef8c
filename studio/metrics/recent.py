"""Lines as charts were last shown them, kept in memory: charts that are opened again, or by several people,
are not read and thinned anew.

Beside an answer stands the sign of what the run had logged (`signs`): once it goes on, begins again or is
thinned, the answer is no longer found, and the next one takes its place. What was not asked for longest is
forgotten first.
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


_kept: OrderedDict[Hashable, tuple[Hashable, Whole]] = OrderedDict()  # what was asked → sign, answer
_lock = threading.Lock()
_held = 0


def find(asked: Hashable, sign: Hashable) -> Whole | None:
    """What was answered to the same, if the run has not changed since."""
    with _lock:
        before, whole = _kept.get(asked, (None, None))
        if before != sign:
            return None
        _kept.move_to_end(asked)
        return whole


def keep(asked: Hashable, sign: Hashable, whole: Whole) -> None:
    global _held
    with _lock:
        _forget(asked)
        _kept[asked] = sign, whole
        _held += whole.size
        while _held > MOST:
            _forget(next(iter(_kept)))


def _forget(asked: Hashable) -> None:
    global _held
    if asked in _kept:
        _held -= _kept.pop(asked)[1].size
