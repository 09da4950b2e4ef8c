"""The audit trail: who did what to which thing. Rows are only added, each sealed with the one before."""

import hashlib
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from studio.models import Event, now


def record(session: Session, what: str, subject: str, who: str = "", **details: Any) -> None:
    """Adds one row. `subject` is like `run:7`; `details` must be JSON."""
    previous = session.scalar(select(Event.digest).order_by(Event.id.desc()).limit(1)) or b""
    time = now()
    sealed = orjson.dumps([time.isoformat(), who, what, subject, details], option=orjson.OPT_SORT_KEYS)
    session.add(
        Event(
            time=time,
            who=who,
            what=what,
            subject=subject,
            details=details,
            previous=previous,
            digest=hashlib.sha256(previous + sealed).digest(),
        )
    )


def of(session: Session, subject: str) -> list[Event]:
    return list(session.scalars(select(Event).where(Event.subject == subject).order_by(Event.id)))
