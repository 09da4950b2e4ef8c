"""People and what they do: what they asked and wrote, what they prefer, who did what."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from studio.models.base import Base, now


class User(Base):
    __tablename__ = "user"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    password_hash: Mapped[str] = mapped_column(String(200))
    created: Mapped[datetime] = mapped_column(default=now)


class Answer(Base):
    """One question to one model on the chat page: asked by a page, answered by a serving run."""

    __tablename__ = "answer"
    id: Mapped[int] = mapped_column(primary_key=True)
    chat: Mapped[str] = mapped_column(String(40), index=True)
    turn: Mapped[int]
    model_id: Mapped[int] = mapped_column(ForeignKey("model.id", ondelete="CASCADE"), index=True)
    run_id: Mapped[int | None] = mapped_column(ForeignKey("run.id", ondelete="SET NULL"), index=True)
    messages: Mapped[list[Any]] = mapped_column(default=list)
    options: Mapped[dict[str, Any]] = mapped_column(default=dict)
    text: Mapped[str] = mapped_column(Text, default="")
    state: Mapped[str] = mapped_column(String(20), default="asked")  # asked, sent, done, failed
    seconds: Mapped[float | None]
    tokens: Mapped[int | None]
    created: Mapped[datetime] = mapped_column(default=now)


class Event(Base):
    """Append-only audit: who did what to which thing. `digest` covers the previous row's, so a changed
    or removed row shows."""

    __tablename__ = "event"
    id: Mapped[int] = mapped_column(primary_key=True)
    time: Mapped[datetime] = mapped_column(default=now)
    who: Mapped[str] = mapped_column(String(100))
    what: Mapped[str] = mapped_column(String(100))
    subject: Mapped[str] = mapped_column(String(100), index=True)
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)
    previous: Mapped[bytes] = mapped_column(LargeBinary(32))
    digest: Mapped[bytes] = mapped_column(LargeBinary(32))


class Draft(Base):
    """A half-filled form, kept so that a reload or another tab loses nothing."""

    __tablename__ = "draft"
    key: Mapped[str] = mapped_column(String(60), primary_key=True)
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)
    updated: Mapped[datetime] = mapped_column(default=now, onupdate=now)


class Preference(Base):
    """What people set for the whole studio, such as the guide's thresholds (`studio.preferences`)."""

    __tablename__ = "preference"
    key: Mapped[str] = mapped_column(String(60), primary_key=True)
    value: Mapped[dict[str, Any]] = mapped_column(default=dict)
    updated: Mapped[datetime] = mapped_column(default=now, onupdate=now)
