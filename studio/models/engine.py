"""Runs, and what they leave behind; the machines they run on."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from studio.models.base import Base, now, short_enum
from studio.models.library import DatasetVersion, Model


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
    """What a run does: changes a model, answers questions with some, tries out a reward, or measures some.
    One that was imported did it elsewhere; it has metrics and nothing else."""

    TRAIN = "train"
    SERVE = "serve"
    LAB = "lab"
    EVALUATE = "evaluate"
    IMPORTED = "imported"


class Wish(StrEnum):
    """What a person asked of a run in progress; its runner carries it out."""

    STOP = "stop"
    PAUSE = "pause"


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
    tags: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")  # short words of people's own
    created: Mapped[datetime] = mapped_column(default=now)
    started: Mapped[datetime | None]
    ended: Mapped[datetime | None]

    model: Mapped[Model | None] = relationship(foreign_keys=[model_id])
    dataset_version: Mapped[DatasetVersion | None] = relationship(foreign_keys=[dataset_version_id])
    held_out: Mapped[DatasetVersion | None] = relationship(foreign_keys=[held_out_id])


class Comparison(Base):
    """Runs beside each other as a person left them: the query string of the page, and a note."""

    __tablename__ = "comparison"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    note: Mapped[str] = mapped_column(Text, default="")
    query: Mapped[str] = mapped_column(Text, default="")
    person: Mapped[str] = mapped_column(String(100), default="")
    created: Mapped[datetime] = mapped_column(default=now)
    changed: Mapped[datetime] = mapped_column(default=now)


class Metric(Base):
    """The values a trainer logged at one moment; `seq` counts a run's rows, so one step may log twice. Only a
    run's newest rows are here: older ones lie packed in blocks, and `studio.metrics` reads both."""

    __tablename__ = "metric"
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    step: Mapped[int]
    time: Mapped[float]  # seconds since 1970
    data: Mapped[dict[str, Any]]


class MetricBlock(Base):
    """Moments of a run that follow one another, packed: in `moments` the seq, step and time of each, whole
    numbers and floats of eight bytes, one array after the other. A block of a higher `level` holds more."""

    __tablename__ = "metric_block"
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"), primary_key=True)
    first_seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    last_seq: Mapped[int]
    level: Mapped[int]
    rows: Mapped[int]
    low_step: Mapped[int]
    high_step: Mapped[int]
    first_time: Mapped[float]
    last_time: Mapped[float]
    moments: Mapped[bytes]


class MetricColumn(Base):
    """The values of one metric in a block: `numbers` as floats, and in `places` at which of its moments they
    were logged, empty where at all of them. `outline` is the same line in few points with every extreme."""

    __tablename__ = "metric_column"
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    first_seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    outline: Mapped[bytes]
    places: Mapped[bytes]
    numbers: Mapped[bytes]


class Mirrored(Base):
    """A run as another tracker has it, under the name `key`; `place` is what that tracker calls it. Told so
    far is everything before `step`, of that step the metrics `keys`, and `state`. `trouble` says what is in
    the way of telling more."""

    __tablename__ = "mirrored"
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    address: Mapped[str] = mapped_column(Text)
    key: Mapped[str] = mapped_column(String(32))
    place: Mapped[dict[str, Any]] = mapped_column(default=dict)
    url: Mapped[str] = mapped_column(Text, default="")
    step: Mapped[int] = mapped_column(default=-1)
    keys: Mapped[list[Any]] = mapped_column(default=list)
    state: Mapped[str] = mapped_column(String(20), default="")
    trouble: Mapped[str] = mapped_column(Text, default="")


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
