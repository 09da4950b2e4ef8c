"""The edge of a process that answers or measures: what it says goes to its spool, a request to stop is noted,
and what goes wrong is classified for the person, whole in the log. A training's edge is in `worker.train`."""

import signal
import traceback
from collections.abc import Callable

from studio.exits import Exit
from worker import failures, telemetry
from worker.order import Order

Work = Callable[[Order, telemetry.Spool, Callable[[], bool]], int]


def carry_out(order: Order, work: Work) -> int:
    """Does the work, which is told how to ask whether it should stop; returns the exit code."""
    spool = telemetry.Spool(order.spool)
    signals: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: signals.append(number))
    try:
        return work(order, spool, lambda: bool(signals))
    except Exception as problem:
        traceback.print_exc()
        spool.say("error", data=failures.explain(problem))
        return Exit.FAILED
