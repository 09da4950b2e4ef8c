"""Keeping the metrics of old runs small: rows of before are packed, and points that nobody asked to keep go.

By default every point is kept. Where `keep_points_days` is set, runs that ended longer ago keep the extremes
of every 64 moments; the run's history and its charts say so. A worker does this beside its other work, a
little at each look.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from studio import db, events, metrics, runs, settings
from studio.models import Metric, MetricBlock, Run, now

log = logging.getLogger("tunesmith.upkeep")
AT_ONCE = 20  # runs a look
REST = 3600.0  # seconds between the last run and the first
MANY = 256  # rows


def old(session: Session, days: float) -> list[int]:
    """Runs that ended more than so many days ago and have points to spare, the oldest first."""
    spare = select(MetricBlock.run_id).where(MetricBlock.level.in_([1, 2]))
    ended = Run.state.not_in(runs.GOING) & (Run.ended < now() - timedelta(days=days))
    return list(session.scalars(select(Run.id).where(ended, Run.id.in_(spare)).order_by(Run.id)))


def thin(session: Session, run_id: int, days: float, who: str = "") -> int:
    """Thins one of the `old` runs; returns how many moments it had of them; 0 if it goes on again."""
    run = session.scalar(select(Run).where(Run.id == run_id).with_for_update())
    if run is None or run.state in runs.GOING:
        return 0
    moments = metrics.thin_run(session, run_id)
    kept = f"of {moments:,} logged moments the extremes of every 64 are kept"
    why = f"{kept}; the run ended more than {days:g} days ago"
    events.record(session, "run thinned", f"run:{run_id}", who, why=why, moments=moments)
    return moments


@dataclass
class Rounds:
    """Where a worker is on its way through all runs."""

    at: int = 0
    rests_until: float = 0.0

    def look(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Goes on by a few runs, or until one of them took some work."""
        if clock() < self.rests_until:
            return
        with db.reading() as session:
            mine = select(Run.id).where(Run.id > self.at, Run.state.not_in(runs.GOING))
            found = session.scalars(mine.order_by(Run.id).limit(AT_ONCE)).all()
            days = settings.get().keep_points_days
            thinnable = set(old(session, days)) if days and found else set()
            busy = [run_id for run_id in found if run_id in thinnable or _is_loose(session, run_id)]
        if busy:
            self.at = busy[0] if _work(busy[0], days if busy[0] in thinnable else 0) else busy[0] - 1
        elif found:
            self.at = found[-1]
        else:
            self.at, self.rests_until = 0, clock() + REST


def _is_loose(session: Session, run_id: int) -> bool:
    """Whether a run has so many rows in no block that it was logged before there were any."""
    beyond = select(Metric.seq).where(Metric.run_id == run_id).offset(MANY - 1).limit(1)
    return session.scalar(beyond) is not None


def _work(run_id: int, days: float) -> bool:
    """One piece of work on one run; whether it was the last."""
    with db.transaction() as session:
        run = session.scalar(select(Run).where(Run.id == run_id).with_for_update())
        if run is None or run.state in runs.GOING:
            return True
        if metrics.pack_loose(session, run_id):
            return False
        if days and (moments := thin(session, run_id, days)):
            log.info("Run %s keeps an outline of %s moments.", run_id, moments)
        return True
