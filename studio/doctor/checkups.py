"""Runs of the database as the doctor sees them, and what was found in each. No rule itself."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from studio import doctor, lineage, metrics, techniques
from studio.doctor import Checkup
from studio.doctor.base import Limits, Patient, Series
from studio.models import Kind, Run
from studio.runs import ACTIVE

POINTS = 2000  # of a curve that are looked at
FRESH = 5.0  # seconds for which what was found of a run that goes on counts
PATIENCE = 0.2  # seconds a table of many runs may take for those not looked at yet
REMEMBERED = 2000  # runs


@dataclass(frozen=True)
class Remembered:
    mark: tuple[Any, ...]
    at: float
    checkup: Checkup


_known: dict[int, Remembered] = {}  # of this process; nothing is lost with it


def of(session: Session, run: Run) -> Checkup:
    """What is found in a run now, or was while nothing has changed."""
    return _look(session, run, doctor.limits(session))


def of_several(session: Session, runs: Sequence[Run]) -> dict[int, Checkup]:
    """What is found in each, by id. Those there was no time for are left out, and are looked at next time."""
    limits = doctor.limits(session)
    until = time.monotonic() + PATIENCE
    found = {}
    for run in runs:
        if (checkup := _remembered(run, limits)) is not None:
            found[run.id] = checkup
        elif time.monotonic() < until:
            found[run.id] = _look(session, run, limits)
    return found


def _look(session: Session, run: Run, limits: Limits) -> Checkup:
    if (checkup := _remembered(run, limits)) is not None:
        return checkup
    patient = patient_of(session, run)
    checkup = doctor.diagnose(patient, limits) if patient else Checkup((), ())
    while len(_known) >= REMEMBERED:
        _known.pop(next(iter(_known)), None)
    _known[run.id] = Remembered(_mark(run, limits), time.monotonic(), checkup)
    return checkup


def _remembered(run: Run, limits: Limits) -> Checkup | None:
    known = _known.get(run.id)
    if known is None or known.mark[:-1] != _mark(run, limits)[:-1]:
        return None
    is_new = known.mark[-1] != run.step and (run.state not in ACTIVE or time.monotonic() - known.at > FRESH)
    return None if is_new else known.checkup


def _mark(run: Run, limits: Limits) -> tuple[Any, ...]:
    """What has to be as it was for what was found to count still; the step comes last. Runs of another
    database may have the same number, but not the same time."""
    return (run.created, run.attempt, run.state, tuple(limits.values()), run.step)


def patient_of(session: Session, run: Run) -> Patient | None:
    """None for what is no training, and for a technique whose file is gone."""
    if run.kind != Kind.TRAIN or not techniques.has(run.technique):
        return None
    technique = techniques.get(run.technique)
    start = lineage.whole(session, run)
    version = run.dataset_version
    return Patient(
        technique=technique,
        adapter=run.adapter,
        settings=run.parameters,
        series=_series(session, run),
        advised=advised(technique, run.adapter, start.parameters if start else None),
        shape=version.shape if version else "",
        rows=version.rows if version else None,
        graders=run.graders,
        error=run.error,
        total_steps=run.total_steps,
        noted=frozenset(each["name"] for each in (version.report if version else {}).get("findings", [])),
    )


def advised(technique: techniques.Technique, adapter: str, size: int | None) -> dict[str, Any]:
    """The settings recommended for a model of this size."""
    return technique.parameters().model_dump() | technique.suggest(adapter, size)


def _series(session: Session, run: Run) -> dict[str, Series]:
    """The curves; a last value that is no number is known from the run itself, should thinning have left it
    out."""
    read = metrics.read(session, [run], points=POINTS)["series"].get(str(run.id), {})
    found = {}
    for key, curve in read.items():
        steps = list(curve["steps"])
        values = [math.nan if value is None else value for value in curve["values"]]
        if isinstance(run.latest.get(key), str) and values and math.isfinite(values[-1]):
            steps.append(run.step)
            values.append(math.nan)
        found[key] = Series(steps, values)
    return found
