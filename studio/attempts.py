"""Attempts: how a run is claimed, kept alive, written to and ended by the machine that carries it out.

Every write names the attempt number. A runner that was replaced finds its attempt gone and can write
nothing (fencing). Death is observed, never computed from clocks: whoever watches sees that a run's
(attempt, beat) did not change over `stale_after` seconds of successful looks.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from studio import db, events, lineage, marks, metrics, runs, storage, weights
from studio.exits import Exit
from studio.models import (
    Answer,
    Checkpoint,
    EvaluationItem,
    Host,
    Kind,
    Lease,
    LogPart,
    Run,
    Sample,
    State,
    Wish,
    now,
)

MOST_CRASHES = 5
LOG_LIMIT = 2_000_000  # characters of trainer output kept a run; the file keeps all of it


@dataclass(frozen=True)
class Assignment:
    """A run given to a host: `devices` are the names it leased."""

    run_id: int
    attempt: int
    kind: Kind
    devices: list[str]


def describe_host(
    session: Session, name: str, devices: Sequence[dict[str, Any]], about: dict[str, Any]
) -> None:
    """Notes what a worker's machine has; its beat shows that it is there."""
    host = session.get(Host, name) or Host(name=name, beat=0)
    host.devices, host.about, host.beat, host.seen = list(devices), about, host.beat + 1, now()
    session.add(host)


def claim(session: Session, host: str, devices: Sequence[dict[str, Any]]) -> Assignment | None:
    """Takes the next run that `host` can carry out, with the devices it needs, all or nothing.

    Highest priority first, then the oldest. The head of the line is never passed by a later run of the same
    kind of device, so a large run is not starved; runs larger than this host are left to others."""
    db.lock_placement(session)
    taken = set(session.scalars(select(Lease.device).where(Lease.host == host)))
    blocked: set[str] = set()
    queued = session.scalars(
        select(Run).where(Run.state == State.QUEUED).order_by(Run.priority.desc(), Run.id).limit(200)
    )
    for run in queued:
        if not _may_begin(session, run):
            continue
        fitting = [d["name"] for d in devices if run.kind.value in d["kinds"]]
        pool = ",".join(fitting)
        if len(fitting) < run.gpus or pool in blocked:
            continue
        free = [name for name in fitting if name not in taken]
        if len(free) < run.gpus:
            blocked.add(pool)
            continue
        return _take(session, run, host, free[: run.gpus])
    return None


def _may_begin(session: Session, run: Run) -> bool:
    """Whether the run it waits for, if any, has succeeded."""
    if run.after_id is None:
        return True
    return session.get_one(Run, run.after_id).state == State.SUCCEEDED


def _take(session: Session, run: Run, host: str, devices: list[str]) -> Assignment:
    if run.after_id is not None:
        lineage.settle(session, run)
    run.attempt += 1
    run.host, run.runner_pid, run.runner_started = host, None, None
    runs.move(session, run, State.CLAIMED, who=host, devices=devices)
    run.activity = "Starting"
    for device in devices:
        session.add(Lease(host=host, device=device, run_id=run.id, attempt=run.attempt))
    return Assignment(run.id, run.attempt, run.kind, devices)


@dataclass(frozen=True)
class Beat:
    """What a runner learns with each heartbeat."""

    wish: Wish | None
    spool_attempt: int
    spool_offset: int
    log_offset: int


def beat(session: Session, run_id: int, attempt: int) -> Beat | None:
    """Begins every transaction of a runner. None means: this attempt is over, kill the trainer and leave."""
    row = session.execute(
        update(Run)
        .where(Run.id == run_id, Run.attempt == attempt, Run.state.in_(runs.IN_PROGRESS))
        .values(beat=Run.beat + 1)
        .returning(Run.wish, Run.spool_attempt, Run.spool_offset, Run.log_offset)
    ).one_or_none()
    return Beat(*row) if row else None


def begin(session: Session, run_id: int, attempt: int, pid: int, started: float) -> Run | None:
    """The runner has the run in hand: claimed becomes running."""
    if beat(session, run_id, attempt) is None:
        return None
    run = runs.get(session, run_id)
    run.runner_pid, run.runner_started = pid, started
    if run.kind == Kind.SERVE:  # what an attempt before was handed and did not answer is asked again
        handed = update(Answer).where(Answer.run_id == run_id, Answer.state == "sent")
        session.execute(handed.values(state="asked", text=""))
    runs.move(session, run, State.RUNNING, who=run.host)
    return run


def absorb(
    session: Session, run_id: int, entries: Sequence[dict[str, Any]], *, attempt: int, offset: int
) -> None:
    """Writes what a trainer said, and how far it was read, in one transaction: exactly once."""
    run = session.get_one(Run, run_id)
    pending: list[dict[str, Any]] = []
    for entry in entries:
        if entry["kind"] == "metric":
            pending.append(entry)
            continue
        metrics.append(session, run_id, pending)
        pending = []
        ABSORB[entry["kind"]](session, run, entry)
    metrics.append(session, run_id, pending)
    latest = {
        key: value for entry in entries if entry["kind"] == "metric" for key, value in entry["data"].items()
    }
    if latest:
        run.latest = {**run.latest, **latest}
    run.spool_attempt, run.spool_offset = attempt, offset


def _progress(session: Session, run: Run, entry: dict[str, Any]) -> None:
    run.step, run.total_steps, run.seconds_left = entry["step"], entry["total_steps"], entry["seconds_left"]
    run.activity = ""


def _activity(session: Session, run: Run, entry: dict[str, Any]) -> None:
    run.activity = entry["text"][:200]


def _resume(session: Session, run: Run, entry: dict[str, Any]) -> None:
    metrics.rewind(session, run.id, entry["step"] or -1)  # one that begins anew measures its start anew
    run.step = entry["step"]
    if run.attempt > 1 and run.kind == Kind.TRAIN:
        _record(session, run, marks.WENT_ON, step=entry["step"])


def _record(session: Session, run: Run, what: str, **details: Any) -> None:
    events.record(session, what, f"run:{run.id}", run.host, attempt=run.attempt, **details)


def _note_change(session: Session, run: Run, before: dict[str, Any], after: dict[str, Any]) -> None:
    """Another attempt may find another machine and other libraries."""
    if changes := marks.differences(before, after):
        _record(session, run, marks.CHANGED, changes=changes)


def _sample(session: Session, run: Run, entry: dict[str, Any]) -> None:
    known = {key: entry[key] for key in ("step", "number", "prompt", "answer", "reference", "scores")}
    session.merge(Sample(run_id=run.id, **known))


def _item(session: Session, run: Run, entry: dict[str, Any]) -> None:
    known = {key: entry[key] for key in ("contestant", "number", "take", "scores", "seconds", "tokens")}
    # PostgreSQL's text holds no NUL.
    session.merge(EvaluationItem(run_id=run.id, answer=entry["answer"].replace("\0", "\ufffd"), **known))


def _checkpoint(session: Session, run: Run, entry: dict[str, Any]) -> None:
    session.merge(Checkpoint(run_id=run.id, step=entry["step"], folder=entry["folder"], created=now()))


def _artifact(session: Session, run: Run, entry: dict[str, Any]) -> None:
    weights.add_artifact(session, run, storage.inside(entry["folder"]), kind=entry.get("makes", "language"))


def _versions(session: Session, run: Run, entry: dict[str, Any]) -> None:
    _note_change(session, run, run.versions, entry["data"])
    run.versions = entry["data"]


def _choices(session: Session, run: Run, entry: dict[str, Any]) -> None:
    before, after = ({each["name"]: each["value"] for each in said} for said in (run.choices, entry["data"]))
    _note_change(session, run, before, after)
    run.choices = entry["data"]


def _report(session: Session, run: Run, entry: dict[str, Any]) -> None:
    run.report = {**run.report, **entry["data"]}


def _error(session: Session, run: Run, entry: dict[str, Any]) -> None:
    run.error = entry["data"]


def _answer(session: Session, run: Run, entry: dict[str, Any]) -> None:
    changed = {key: entry[key] for key in ("text", "state", "seconds", "tokens")}
    session.execute(update(Answer).where(Answer.id == entry["id"]).values(**changed))


ABSORB: dict[str, Callable[[Session, Run, dict[str, Any]], None]] = {
    "progress": _progress,
    "activity": _activity,
    "resume": _resume,
    "sample": _sample,
    "item": _item,
    "checkpoint": _checkpoint,
    "artifact": _artifact,
    "versions": _versions,
    "choices": _choices,
    "report": _report,
    "error": _error,
    "answer": _answer,
}


def add_log(session: Session, run_id: int, attempt: int, text: str, offset: int) -> None:
    """Appends trainer output; past LOG_LIMIT the database keeps what it has and the file goes on."""
    size, last = session.execute(
        select(func.coalesce(func.sum(func.length(LogPart.text)), 0), func.max(LogPart.seq)).where(
            LogPart.run_id == run_id
        )
    ).one()
    if size < LOG_LIMIT:
        seq = 0 if last is None else last + 1
        # PostgreSQL's text holds no NUL.
        session.add(LogPart(run_id=run_id, seq=seq, attempt=attempt, text=text.replace("\0", "\ufffd")))
    session.execute(update(Run).where(Run.id == run_id).values(log_offset=offset))


def log_of(session: Session, run_id: int, last: int = 200) -> str:
    """The last lines a run printed."""
    parts = session.scalars(
        select(LogPart.text).where(LogPart.run_id == run_id).order_by(LogPart.seq.desc()).limit(last)
    ).all()
    return "".join(reversed(parts))[-200_000:]


def take_questions(session: Session, run_id: int) -> list[Answer]:
    """The questions a serving run has not been handed yet; from now on they count as handed."""
    asked = session.scalars(
        select(Answer).where(Answer.run_id == run_id, Answer.state == "asked").order_by(Answer.id)
    ).all()
    for answer in asked:
        answer.state = "sent"
    return list(asked)


def end(session: Session, run_id: int, attempt: int, exit_code: int, *, last_words: str = "") -> State | None:
    """Settles an attempt by its trainer's exit code (negative: the signal that killed it).

    Done is succeeded; interrupted is as it was wished, or back to the queue; a signal counts as a crash and
    is tried again up to MOST_CRASHES times; anything else failed. None when this attempt was already over."""
    noted = beat(session, run_id, attempt)
    if noted is None:
        return None
    run = runs.get(session, run_id)
    session.refresh(run)
    wished = {Wish.STOP: State.CANCELLED, Wish.PAUSE: State.PAUSED}.get(run.wish) if run.wish else None
    if exit_code == Exit.DONE:
        state = State.SUCCEEDED
    elif wished:
        state = wished
    elif exit_code == Exit.INTERRUPTED:
        state = State.QUEUED
    elif exit_code < 0 and run.crashes < MOST_CRASHES:
        run.crashes += 1
        state = State.QUEUED
    else:
        state = State.FAILED
        run.error = run.error or _unexplained(exit_code, last_words)
    _release(session, run, state, exit_code=exit_code)
    return state


def requeue(session: Session, run_id: int, attempt: int, seen_beat: int, why: str) -> bool:
    """Gives up on an attempt nobody answers for. Compare-and-swap on the beat: a runner that was only slow
    and wrote in the meantime keeps its run."""
    run = session.scalar(
        select(Run)
        .where(
            Run.id == run_id, Run.attempt == attempt, Run.beat == seen_beat, Run.state.in_(runs.IN_PROGRESS)
        )
        .with_for_update()
    )
    if run is None:
        return False
    wished = {Wish.STOP: State.CANCELLED, Wish.PAUSE: State.PAUSED}.get(run.wish) if run.wish else None
    run.crashes += 1
    if wished is None and run.crashes > MOST_CRASHES:
        run.error = run.error or _unexplained(-9, "")
        wished = State.FAILED
    _release(session, run, wished or State.QUEUED, why=why)
    return True


def _release(session: Session, run: Run, state: State, **details: Any) -> None:
    runs.move(session, run, state, who=run.host, **details)
    session.execute(delete(Lease).where(Lease.run_id == run.id))
    run.runner_pid, run.runner_started, run.seconds_left = None, None, None
    if state == State.QUEUED:
        run.activity = "Waiting to go on from its last checkpoint"
    if run.kind == Kind.SERVE and state != State.QUEUED:
        session.execute(
            update(Answer)
            .where(Answer.run_id == run.id, Answer.state.in_(["asked", "sent"]))
            .values(state="failed", text="The model stopped before it answered. Ask again.")
        )


def _unexplained(exit_code: int, last_words: str) -> dict[str, Any]:
    return {
        "kind": "crash",
        "message": (
            f"The trainer was killed {MOST_CRASHES + 1} times (signal {-exit_code})."
            if exit_code < 0
            else f"The trainer ended with code {exit_code}."
        ),
        "hint": (
            "Signal 9 is often the machine running out of memory: try a smaller batch or shorter rows."
            if exit_code == -9
            else "The log below has the details."
        ),
        "details": last_words,
    }


@dataclass
class Watch:
    """One observer's memory of heartbeats. `look` returns runs whose (attempt, beat) stood still too long.

    Only successful looks count, each at most a third of `stale_after`, on this process's own monotonic clock:
    neither clock skew nor a database that was away expires anybody."""

    stale_after: float
    _seen: dict[int, tuple[int, int, float]] = field(default_factory=dict)  # attempt, beat, seconds still
    _looked: float | None = None

    def look(
        self, session: Session, clock: Callable[[], float] = time.monotonic
    ) -> list[tuple[int, int, int]]:
        """(run, attempt, beat) of each run that seems dead."""
        rows = session.execute(
            select(Run.id, Run.attempt, Run.beat).where(Run.state.in_(runs.IN_PROGRESS))
        ).all()
        at = clock()
        passed = 0.0 if self._looked is None else min(at - self._looked, self.stale_after / 3)
        self._looked = at
        fresh: dict[int, tuple[int, int, float]] = {}
        dead = []
        for run_id, attempt, beats in rows:
            known = self._seen.get(run_id)
            still = known[2] + passed if known and known[:2] == (attempt, beats) else 0.0
            fresh[run_id] = (attempt, beats, still)
            if still > self.stale_after:
                dead.append((run_id, attempt, beats))
        self._seen = fresh
        return dead


def in_progress_on(session: Session, host: str) -> list[Run]:
    return list(session.scalars(select(Run).where(Run.host == host, Run.state.in_(runs.IN_PROGRESS))))


def spool_path(run_id: int, attempt: int) -> Path:
    """Each attempt writes its own file, so a trainer that should be dead cannot disturb its successor."""
    return storage.run_folder(run_id) / "attempts" / str(attempt) / "spool.jsonl"
