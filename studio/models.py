"""What is remembered: the tables and their words. Holds no behaviour; moves and rules live beside it.

Large things (files, weights, spools) lie under the data folder; the tables hold what is known of them.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    Enum,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class UtcDateTime(TypeDecorator[datetime]):
    """Stored in UTC, read back aware: SQLite alone would forget the zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def now() -> datetime:
    return datetime.now(UTC)


class Base(DeclarativeBase):
    type_annotation_map: ClassVar = {
        datetime: UtcDateTime,
        dict[str, Any]: JSON().with_variant(JSONB, "postgresql"),
        list[Any]: JSON().with_variant(JSONB, "postgresql"),
    }
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def short_enum(kind: type[StrEnum]) -> Enum:
    """Stored as its value in a plain string column, so that adding a member needs no migration."""
    return Enum(
        kind,
        native_enum=False,
        create_constraint=False,
        length=20,
        values_callable=lambda members: [member.value for member in members],
    )


class State(StrEnum):
    """Where a run stands. Moves between these happen only in `studio.runs`."""

    QUEUED = "queued"
    CLAIMED = "claimed"
    RUNNING = "running"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Kind(StrEnum):
    """What a run does: changes a model, answers questions with some, tries out a reward, or measures some."""

    TRAIN = "train"
    SERVE = "serve"
    LAB = "lab"
    EVALUATE = "evaluate"


class Wish(StrEnum):
    """What a person asked of a run in progress; its runner carries it out."""

    STOP = "stop"
    PAUSE = "pause"


class User(Base):
    __tablename__ = "user"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    password_hash: Mapped[str] = mapped_column(String(200))
    created: Mapped[datetime] = mapped_column(default=now)


class Project(Base):
    """A use case: the business problem and what success means."""

    __tablename__ = "project"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    problem: Mapped[str] = mapped_column(Text, default="")
    users: Mapped[str] = mapped_column(Text, default="")
    criteria: Mapped[list[Any]] = mapped_column(default=list)
    phase: Mapped[int] = mapped_column(default=0)
    target: Mapped[float | None] = mapped_column(default=None)
    created: Mapped[datetime] = mapped_column(default=now)


class Dataset(Base):
    """A named thing; its content is in its versions."""

    __tablename__ = "dataset"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    note: Mapped[str] = mapped_column(Text, default="")
    project_id: Mapped[int | None] = mapped_column(ForeignKey("project.id"))
    created: Mapped[datetime] = mapped_column(default=now)
    versions: Mapped[list["DatasetVersion"]] = relationship(
        back_populates="dataset", order_by="DatasetVersion.number", cascade="all, delete-orphan"
    )


class DatasetVersion(Base):
    """Immutable rows of one shape. `folder` (below the data folder) holds rows.jsonl, its offset index
    and the original file byte for byte; `report` is what `datasets.inspection` said of it."""

    __tablename__ = "dataset_version"
    __table_args__ = (UniqueConstraint("dataset_id", "number"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id", ondelete="CASCADE"), index=True)
    number: Mapped[int]
    shape: Mapped[str] = mapped_column(String(40))
    format: Mapped[str] = mapped_column(String(40))
    rows: Mapped[int]
    bad_rows: Mapped[int] = mapped_column(default=0)
    bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    folder: Mapped[str] = mapped_column(String(500))
    original: Mapped[str] = mapped_column(String(300), default="")
    split: Mapped[str] = mapped_column(String(40), default="")
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("dataset_version.id", ondelete="SET NULL"))
    report: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created: Mapped[datetime] = mapped_column(default=now)
    dataset: Mapped[Dataset] = relationship(back_populates="versions")

    @property
    def title(self) -> str:
        return f"{self.dataset.name} · v{self.number}"


class Model(Base):
    """Something that can be trained or asked: a base model, or the artifact of a run.

    `source` is a folder (below the data folder, or absolute) or a hub id; for an adapter `base_id` is
    the model it sits on. `kind` is what it is for: language, reward, embedding or classifier.
    """

    __tablename__ = "model"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    source: Mapped[str] = mapped_column(String(500))
    run_id: Mapped[int | None] = mapped_column(ForeignKey("run.id", ondelete="SET NULL", use_alter=True))
    base_id: Mapped[int | None] = mapped_column(ForeignKey("model.id", ondelete="SET NULL"))
    adapter: Mapped[str] = mapped_column(String(40), default="")
    kind: Mapped[str] = mapped_column(String(20), default="language", server_default="language")
    architecture: Mapped[str] = mapped_column(String(100), default="")
    parameters: Mapped[int | None] = mapped_column(BigInteger)
    context: Mapped[int | None]
    licence: Mapped[str] = mapped_column(String(100), default="")
    bytes: Mapped[int | None] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64), default="")
    note: Mapped[str] = mapped_column(Text, default="")
    created: Mapped[datetime] = mapped_column(default=now)


class Recommendation(Base):
    """What the guide was told, what it answered, and what came of it."""

    __tablename__ = "recommendation"
    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int | None] = mapped_column(ForeignKey("project.id", ondelete="SET NULL"))
    answers: Mapped[dict[str, Any]] = mapped_column(default=dict)
    result: Mapped[dict[str, Any]] = mapped_column(default=dict)
    accepted: Mapped[bool | None]
    created: Mapped[datetime] = mapped_column(default=now)
    updated: Mapped[datetime] = mapped_column(default=now, onupdate=now)


class Sweep(Base):
    """Runs that differ only in some settings, to see which do best. `fields` holds the values (grid) or
    ranges (random) of each setting, `config` what all share."""

    __tablename__ = "sweep"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    method: Mapped[str] = mapped_column(String(20))
    fields: Mapped[dict[str, Any]] = mapped_column(default=dict)
    config: Mapped[dict[str, Any]] = mapped_column(default=dict)
    project_id: Mapped[int | None] = mapped_column(ForeignKey("project.id", ondelete="SET NULL"))
    created: Mapped[datetime] = mapped_column(default=now)


class Run(Base):
    """One training (or serving) of one model. `attempt` is the fencing token: every write of a runner
    names it, so a runner that was replaced can write nothing. `beat` is its heartbeat, a counter.

    `inputs` are further models and datasets by the technique's own names (`{"teacher_model": 3}`), `graders`
    what its answers are scored by. A model may be given as `run:7`, the result of a run that is not done
    yet: then `after_id` names that run, and this one waits for it (`studio.lineage`)."""

    __tablename__ = "run"
    __table_args__ = (Index("ix_run_state_priority", "state", "priority"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    kind: Mapped[Kind] = mapped_column(short_enum(Kind), default=Kind.TRAIN)
    technique: Mapped[str] = mapped_column(String(40), default="")
    adapter: Mapped[str] = mapped_column(String(40), default="")
    project_id: Mapped[int | None] = mapped_column(ForeignKey("project.id", ondelete="SET NULL"))
    recommendation_id: Mapped[int | None] = mapped_column(
        ForeignKey("recommendation.id", ondelete="SET NULL")
    )
    model_id: Mapped[int | None] = mapped_column(ForeignKey("model.id"))
    dataset_version_id: Mapped[int | None] = mapped_column(ForeignKey("dataset_version.id"))
    held_out_id: Mapped[int | None] = mapped_column(ForeignKey("dataset_version.id"))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("run.id", ondelete="SET NULL"))
    after_id: Mapped[int | None] = mapped_column(ForeignKey("run.id", ondelete="SET NULL"))
    sweep_id: Mapped[int | None] = mapped_column(ForeignKey("sweep.id", ondelete="SET NULL"), index=True)
    parameters: Mapped[dict[str, Any]] = mapped_column(default=dict)
    adapter_parameters: Mapped[dict[str, Any]] = mapped_column(default=dict)
    inputs: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    graders: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")
    seed: Mapped[int] = mapped_column(default=42)
    gpus: Mapped[int] = mapped_column(default=1)
    priority: Mapped[int] = mapped_column(default=0)

    state: Mapped[State] = mapped_column(short_enum(State), default=State.QUEUED, index=True)
    wish: Mapped[Wish | None] = mapped_column(short_enum(Wish))
    attempt: Mapped[int] = mapped_column(default=0)
    crashes: Mapped[int] = mapped_column(default=0)
    beat: Mapped[int] = mapped_column(BigInteger, default=0)
    host: Mapped[str] = mapped_column(String(200), default="")
    runner_pid: Mapped[int | None]
    runner_started: Mapped[float | None]  # psutil create_time, so that a reused pid is not mistaken for it
    spool_attempt: Mapped[int] = mapped_column(default=0)
    spool_offset: Mapped[int] = mapped_column(BigInteger, default=0)
    log_offset: Mapped[int] = mapped_column(BigInteger, default=0)

    activity: Mapped[str] = mapped_column(String(200), default="")
    step: Mapped[int] = mapped_column(default=0)
    total_steps: Mapped[int | None]
    seconds_left: Mapped[float | None]
    latest: Mapped[dict[str, Any]] = mapped_column(default=dict)  # newest value of each metric
    error: Mapped[dict[str, Any]] = mapped_column(default=dict)
    versions: Mapped[dict[str, Any]] = mapped_column(default=dict)
    choices: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")  # what we chose, and why
    report: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")  # what it found out
    note: Mapped[str] = mapped_column(Text, default="")
    created: Mapped[datetime] = mapped_column(default=now)
    started: Mapped[datetime | None]
    ended: Mapped[datetime | None]

    model: Mapped[Model | None] = relationship(foreign_keys=[model_id])
    dataset_version: Mapped[DatasetVersion | None] = relationship(foreign_keys=[dataset_version_id])
    held_out: Mapped[DatasetVersion | None] = relationship(foreign_keys=[held_out_id])


class Metric(Base):
    """The values a trainer logged at one moment; `seq` counts a run's rows, so one step may log twice."""

    __tablename__ = "metric"
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    step: Mapped[int]
    time: Mapped[float]  # seconds since 1970
    data: Mapped[dict[str, Any]]


class Sample(Base):
    """What the model answered to one prompt at one step."""

    __tablename__ = "sample"
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"), primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    prompt: Mapped[str] = mapped_column(Text)
    answer: Mapped[str] = mapped_column(Text)
    reference: Mapped[str] = mapped_column(Text, default="")
    scores: Mapped[dict[str, Any]] = mapped_column(default=dict)


class EvaluationItem(Base):
    """What a contestant answered to the row `number`, from 0; take 0 is greedy, the others are samples."""

    __tablename__ = "evaluation_item"
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"), primary_key=True)
    contestant: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    take: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    answer: Mapped[str] = mapped_column(Text)
    scores: Mapped[dict[str, Any]] = mapped_column(default=dict)
    seconds: Mapped[float]
    tokens: Mapped[int]


class LogPart(Base):
    """A piece of what the trainer printed, in order."""

    __tablename__ = "log_part"
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    attempt: Mapped[int]
    text: Mapped[str] = mapped_column(Text)


class Checkpoint(Base):
    __tablename__ = "checkpoint"
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"), primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    folder: Mapped[str] = mapped_column(String(500))
    created: Mapped[datetime] = mapped_column(default=now)


class Lease(Base):
    """Who holds which device. The primary key makes "one device, one run" a fact of the database."""

    __tablename__ = "lease"
    host: Mapped[str] = mapped_column(String(200), primary_key=True)
    device: Mapped[str] = mapped_column(String(100), primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"), index=True)
    attempt: Mapped[int]


class Host(Base):
    """A machine with a worker on it, as the worker last described it."""

    __tablename__ = "host"
    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    devices: Mapped[list[Any]] = mapped_column(default=list)
    about: Mapped[dict[str, Any]] = mapped_column(default=dict)
    beat: Mapped[int] = mapped_column(BigInteger, default=0)
    seen: Mapped[datetime] = mapped_column(default=now)


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
