"""What runs have used so far: the time their devices were theirs, over all attempts, and what that cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from studio import prices
from studio.models import Event, Run, State, now
from studio.prices import Cost
from studio.runs import IN_PROGRESS

ENTERED = {f"run {state}" for state in IN_PROGRESS}
LEFT = {f"run {state}" for state in set(State) - IN_PROGRESS}


@dataclass(frozen=True)
class Spent:
    """Seconds of all devices together; None where it is not known. `cost` is None where no price was set."""

    seconds: float | None
    cost: Cost | None


def of(session: Session, runs: Sequence[Run]) -> dict[int, Spent]:
    """By run, as its events tell it: a run that waited in the queue between attempts used nothing there."""
    told: dict[str, list[Event]] = {f"run:{run.id}": [] for run in runs}
    wanted = select(Event).where(Event.subject.in_(list(told)), Event.what.in_(ENTERED | LEFT))
    for event in session.scalars(wanted.order_by(Event.id)):
        told[event.subject].append(event)
    price = prices.get(session)
    return {run.id: _of_one(run, told[f"run:{run.id}"], price) for run in runs}


def mean(each: Sequence[Spent]) -> Spent:
    """Of one run; None where it is not known of all."""
    seconds = [one.seconds for one in each if one.seconds is not None]
    costs = [one.cost for one in each if one.cost is not None]
    whole = len(each)
    cost = None
    if costs and len(costs) == whole:
        low, high = (sum(getattr(one, end) for one in costs) / whole for end in ("low", "high"))
        cost = Cost(low, high, costs[0].currency)
    return Spent(sum(seconds) / whole if seconds and len(seconds) == whole else None, cost)


def _of_one(run: Run, events: Sequence[Event], price: prices.Prices) -> Spent:
    seconds, since = 0.0, None
    devices: list[str] = []
    for event in events:
        if event.what in ENTERED:
            since = since or event.time
            devices = event.details.get("devices", devices)
        elif since is not None:
            seconds += (event.time - since).total_seconds()
            since = None
    if since is not None:
        seconds += (_until(run) - since).total_seconds()
    if not devices:
        return Spent(None, None)
    is_gpu = not str(devices[0]).startswith("cpu")
    cost = prices.cost(price, (seconds, seconds), len(devices), is_gpu=is_gpu)
    return Spent(seconds * len(devices), cost)


def _until(run: Run) -> datetime:
    return run.ended or now()
