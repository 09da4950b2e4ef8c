"""What happened to a run at which step, to be marked on its charts: checkpoints that are kept, evaluations
while it trained, attempts that went on from a step, and what was different from there on.

It stores nothing and reads few points of one metric of a run, so it may be asked again and again.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from studio import events, metrics, techniques
from studio.models import Checkpoint, Run

POINTS = 100  # evaluations of a run that are marked at most: more lines than these hide the curve
PLACES = 4  # significant digits of a measured value
# What an attempt says of itself, in the order it says it: first what is different, then where it goes on.
CHANGED, WENT_ON = "run trained otherwise", "run went on"


class Mark(NamedTuple):
    """`time` is in seconds since 1970; None where nobody knows when it was."""

    kind: Literal["checkpoint", "evaluation", "resume", "change"]
    step: int
    time: float | None
    title: str


Evaluation = tuple[int, float, float | None]  # step, time, value; no value where it was no finite number


def of(session: Session, runs: Sequence[Run]) -> dict[int, list[Mark]]:
    """The marks of each run, by step."""
    looks = _looks(session, {run: key for run in runs if (key := measured_by(run))})
    answer = {}
    for run in runs:
        mine = looks.get(run.id, [])
        marks = [*_evaluations(run, mine), *_checkpoints(session, run, mine), *_attempts(session, run)]
        answer[run.id] = sorted(marks, key=lambda mark: (mark.step, mark.kind))
    return answer


def measured_by(run: Run) -> str:
    """The metric of held-out data that stands for an evaluation: the one by which the technique calls a
    checkpoint the best, else any; empty where the run was never evaluated."""
    keys = [key for key in run.latest if key.startswith("eval_")]
    best = [techniques.get(run.technique).best_by[0]] if techniques.has(run.technique) else []
    return next((key for key in [*best, "eval_loss", *sorted(keys)] if key in keys), "")


def _looks(session: Session, measured: dict[Run, str]) -> dict[int, list[Evaluation]]:
    """When each run was measured, and what came out."""
    if not measured:
        return {}
    read = metrics.read(session, list(measured), keys=set(measured.values()), points=POINTS, times=True)
    found = {}
    for run, key in measured.items():
        line = read["series"][str(run.id)].get(key)
        found[run.id] = list(zip(line["steps"], line["times"], line["values"], strict=True)) if line else []
    return found


def _evaluations(run: Run, looks: Sequence[Evaluation]) -> list[Mark]:
    if not looks:
        return []
    title = metrics.describe([run], [measured_by(run)])[0]["title"]
    return [Mark("evaluation", step, time, f"{title} {_said(value)}") for step, time, value in looks]


def _checkpoints(session: Session, run: Run, looks: Sequence[Evaluation]) -> list[Mark]:
    """Those that are still there: the newest, as many as the run keeps, and where it keeps the best, that."""
    limit = run.parameters.get("save_total_limit") or POINTS
    mine = select(Checkpoint).where(Checkpoint.run_id == run.id)
    newest = list(session.scalars(mine.order_by(Checkpoint.step.desc()).limit(limit)))
    best = _best(run, looks)
    if best is not None and best not in {each.step for each in newest}:
        kept = session.scalars(mine.where(Checkpoint.step == best)).all()
        newest = [*newest[: max(1, limit - 1)], *kept] if kept else newest
    return [
        Mark(
            "checkpoint",
            each.step,
            each.created.timestamp(),
            "Checkpoint kept" + (", the best" if each.step == best else ""),
        )
        for each in newest
    ]


def _best(run: Run, looks: Sequence[Evaluation]) -> int | None:
    """The step that did best on held-out data, where the run keeps that; what it began as does not count."""
    if not (run.parameters.get("keep_best") or run.parameters.get("early_stopping")):
        return None
    if not techniques.has(run.technique) or measured_by(run) != techniques.get(run.technique).best_by[0]:
        return None
    sign = 1 if techniques.get(run.technique).best_by[1] == "lower" else -1
    known = [(sign * value, step) for step, _, value in looks if step and value is not None]
    return min(known)[1] if known else None


def _attempts(session: Session, run: Run) -> list[Mark]:
    """Where attempts after the first one went on. What a later one went back behind is forgotten."""
    found: list[Mark] = []
    changes: list[str] = []
    for event in events.of(session, f"run:{run.id}") if run.attempt > 1 else ():
        if event.what == CHANGED:
            changes += event.details["changes"]
        elif event.what == WENT_ON:
            step, time = event.details["step"], event.time.timestamp()
            found = [mark for mark in found if mark.step <= step]
            found.append(Mark("resume", step, time, f"Attempt {event.details['attempt']} went on from here"))
            found += [Mark("change", step, time, change) for change in changes]
            changes = []
    return found


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """“torch 2.7 → 2.8” of everything that is not the same; nothing where there was nothing before."""
    if not before:
        return []
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return [f"{name.replace('_', ' ')} {before.get(name)} → {after.get(name)}" for name in names]


def _said(value: float | None) -> str:
    return "not a number" if value is None else f"{value:.{PLACES}g}"
