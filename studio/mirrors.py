"""How far other trackers were told of runs, and what was in the way. Workers tell them
(`worker/mirroring.py`); pages say where a run can be seen.

Each metric of each step is told once. Where a run that went back to a checkpoint logs a step again, equal,
the other side has it already.
"""

import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from studio import events, metrics, runs
from studio.models import Kind, Mirrored, Run

Row = dict[str, Any]


def due(session: Session, name: str, address: str, host: str, since: datetime) -> list[int]:
    """Trainings of a host of which that tracker does not know all: those in progress, those whose end it was
    not told, and those that began and ended after `since` before it heard of them."""
    of_this = and_(Mirrored.run_id == Run.id, Mirrored.name == name, Mirrored.address == address)
    untold = or_(
        Run.state.in_(runs.IN_PROGRESS),
        Mirrored.state != Run.state,
        and_(Mirrored.run_id.is_(None), Run.ended >= since),
    )
    mine = (Run.kind == Kind.TRAIN, Run.host == host, Run.started.is_not(None), untold)
    return list(session.scalars(select(Run.id).outerjoin(Mirrored, of_this).where(*mine).order_by(Run.id)))


def find(session: Session, run_id: int, name: str, address: str) -> Mirrored | None:
    """How far that tracker was told of the run; None if it was of nothing yet, or lay elsewhere."""
    found = session.get(Mirrored, (run_id, name))
    return found if found and found.address == address else None


def begin(session: Session, run_id: int, name: str, address: str) -> Mirrored:
    fresh = Mirrored(run_id=run_id, name=name, address=address, key=secrets.token_hex(16))
    return session.merge(fresh)


def untold(session: Session, mirrored: Mirrored, most: int) -> list[Row]:
    """The next rows `{"step", "time", "data"}` to be told, with about `most` values."""
    found: list[Row] = []
    known, values = set(mirrored.keys), 0
    for row in metrics.rows(session, mirrored.run_id, low=max(mirrored.step, 0)):
        is_known = known if row["step"] == mirrored.step else ()
        data = {key: value for key, value in row["data"].items() if key not in is_known}
        if data:
            found.append({"step": row["step"], "time": row["time"], "data": data})
            values += len(data)
        if values >= most:
            break
    return found


def told(session: Session, mirrored: Mirrored, rows: Sequence[Row]) -> None:
    """These rows are there now."""
    last = rows[-1]["step"]
    before = mirrored.keys if mirrored.step == last else []
    of_last = [key for row in rows if row["step"] == last for key in row["data"]]
    note(session, mirrored, step=last, keys=[*before, *of_last])


def note(session: Session, mirrored: Mirrored, **values: Any) -> None:
    for name, value in values.items():
        setattr(mirrored, name, value)
    session.merge(mirrored)


def hinder(session: Session, mirrored: Mirrored, title: str, why: str) -> bool:
    """Something is in the way. The run's history says so once, until it is out of the way; whether it was
    news."""
    if mirrored.trouble:
        return False
    note(session, mirrored, trouble=why)
    _record(session, mirrored, "run not mirrored", f"to {title}: {why} It is tried again; the run goes on")
    return True


def recover(session: Session, mirrored: Mirrored, title: str) -> None:
    note(session, mirrored, trouble="")
    _record(session, mirrored, "run mirrored again", f"to {title}, nothing was left out")


def opened(session: Session, mirrored: Mirrored, title: str, place: Row, url: str) -> None:
    """The other side has a run for it."""
    note(session, mirrored, place=place, url=url)
    _record(session, mirrored, "run mirrored", f"to {title} at {shown(url)}")


def of(session: Session, run_id: int) -> list[Mirrored]:
    return list(session.scalars(select(Mirrored).where(Mirrored.run_id == run_id).order_by(Mirrored.name)))


def shown(address: str) -> str:
    """An address as anybody may read it: without a user's name, a password, or a token."""
    parts = urlsplit(address)
    query = "&".join(each for each in parts.query.split("&") if each and not each.startswith("write_token="))
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=query))


def pieces(rows: Iterable[Row], most: int) -> Iterable[list[Row]]:
    """Rows with up to `most` values together; one with more is cut."""
    piece: list[Row] = []
    size = 0
    for row in rows:
        items = iter(row["data"].items())
        while data := dict(islice(items, most)):
            if size + len(data) > most:
                yield piece
                piece, size = [], 0
            piece.append(row | {"data": data})
            size += len(data)
    if piece:
        yield piece


def _record(session: Session, mirrored: Mirrored, what: str, why: str) -> None:
    events.record(session, what, f"run:{mirrored.run_id}", why=why)
