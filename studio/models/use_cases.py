"""Use cases and what is decided in them: the guide's advice, prompts, failures named, and climbs."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from studio.models.base import Base, now


class Project(Base):
    """A use case: the business problem and what success means. `criteria` are
    `studio.use_cases.Criterion`, the first the one that decides; `phase` is the highest one done. `origin`
    names the template it began as, whose data are synthetic; `answers` are what of the guide's questions is
    known beforehand. `model_id`, `held_out_id` and `prompt_id` are what training begins with, what is
    measured on, and how a model is asked."""

    __tablename__ = "project"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    problem: Mapped[str] = mapped_column(Text, default="")
    users: Mapped[str] = mapped_column(Text, default="")
    stakes: Mapped[str] = mapped_column(String(20), default="", server_default="")
    criteria: Mapped[list[Any]] = mapped_column(default=list)
    phase: Mapped[int] = mapped_column(default=0)
    origin: Mapped[str] = mapped_column(String(60), default="", server_default="")
    answers: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    model_id: Mapped[int | None] = mapped_column(ForeignKey("model.id", ondelete="SET NULL"))
    held_out_id: Mapped[int | None] = mapped_column(
        ForeignKey("dataset_version.id", ondelete="SET NULL", use_alter=True)
    )
    prompt_id: Mapped[int | None] = mapped_column(
        ForeignKey("prompt.id", ondelete="SET NULL", use_alter=True)
    )
    created: Mapped[datetime] = mapped_column(default=now)


class Recommendation(Base):
    """What the guide was told, what it answered, and what was decided: `accepted`, `changed` (then `chosen`
    is the technique taken instead), `rejected`, or nothing yet; `reason` in the person's words. What came of
    it is told by the runs that name it."""

    __tablename__ = "recommendation"
    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int | None] = mapped_column(ForeignKey("project.id", ondelete="SET NULL"))
    answers: Mapped[dict[str, Any]] = mapped_column(default=dict)
    result: Mapped[dict[str, Any]] = mapped_column(default=dict)
    decision: Mapped[str] = mapped_column(String(20), default="", server_default="")
    chosen: Mapped[str] = mapped_column(String(40), default="", server_default="")
    reason: Mapped[str] = mapped_column(Text, default="", server_default="")
    created: Mapped[datetime] = mapped_column(default=now)
    updated: Mapped[datetime] = mapped_column(default=now, onupdate=now)


class Prompt(Base):
    """One version of how a use case's question is put (`studio.prompting.Prompting`). Never changed: an edit
    makes the next number."""

    __tablename__ = "prompt"
    __table_args__ = (UniqueConstraint("project_id", "number"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"))
    number: Mapped[int]
    name: Mapped[str] = mapped_column(String(200), default="")
    prompting: Mapped[dict[str, Any]] = mapped_column(default=dict)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("prompt.id", ondelete="SET NULL"))
    created: Mapped[datetime] = mapped_column(default=now)


class FailureKind(Base):
    """A way in which answers of a use case go wrong, as its people named it."""

    __tablename__ = "failure_kind"
    __table_args__ = (UniqueConstraint("project_id", "name"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(100))
    note: Mapped[str] = mapped_column(Text, default="")
    created: Mapped[datetime] = mapped_column(default=now)


class FailureMark(Base):
    """One answer of an evaluation went wrong in this way."""

    __tablename__ = "failure_mark"
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"), primary_key=True)
    contestant: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind_id: Mapped[int] = mapped_column(
        ForeignKey("failure_kind.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class Climb(Base):
    """A use case climbs by itself: up to a phase, within money and time. `steps` are what it has done, the
    newest last; `run_id` is what it waits for. `state`: going, done or stopped, `reason` why."""

    __tablename__ = "climb"
    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"), index=True)
    state: Mapped[str] = mapped_column(String(20), default="going", index=True)
    until_phase: Mapped[int]
    budget: Mapped[float | None]  # in the currency of `gpu_price`
    gpu_price: Mapped[float] = mapped_column(default=0.0)  # an hour of one device
    seconds: Mapped[float | None]
    run_id: Mapped[int | None] = mapped_column(ForeignKey("run.id", ondelete="SET NULL"))
    steps: Mapped[list[Any]] = mapped_column(default=list)
    reason: Mapped[str] = mapped_column(Text, default="")
    created: Mapped[datetime] = mapped_column(default=now)
    ended: Mapped[datetime | None]
