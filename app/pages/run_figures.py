"""The figures a run is judged by, as its technique names them, each with how it moves. A helper of /run.

A trend is told in words, and drawn in few points for those who see it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from app.pages import run_words
from app.parts import words
from studio import metrics
from studio.metrics.blocks import Line
from studio.models import Run
from studio.techniques import MetricInfo

MOST = 4  # figures of a run, besides its step and its time
ENOUGH = 2000  # points that are read of a line, to tell how it moves,
POINTS = 40  # and drawn
WIDE, HIGH, EDGE = 100, 26, 2  # of its picture
TENTH = 10
STILL = 0.01  # a change is none below this share of all that the line has moved,
CERTAIN = 2.0  # or below so many standard errors
PLAIN_GROUPS = {"Loss", "Optimiser", "Throughput"}


@dataclass(frozen=True)
class Figure:
    """`line` are the points of a polyline, empty where there are too few. `trend` says where it goes and
    whether that is better; `note` what else there is to know."""

    key: str
    title: str
    value: str
    unit: str = ""
    trend: str = ""
    note: str = ""
    line: str = ""


def of(session: Session, run: Run) -> list[Figure]:
    keys = keys_of(run)
    known = [key for key in keys if key in run.latest]
    lines = metrics.lines(session, run.id, known, points=ENOUGH) if known else {}
    return [figure(run, key, lines.get(key)) for key in keys]


def keys_of(run: Run) -> list[str]:
    """What its technique names, as far as it was logged or will be; then its first other metric, which often
    shows first what goes wrong."""
    named = run_words.headline(run)
    found = [key for key in named if key in run.latest or is_to_come(run, key)]
    technique = run_words.technique_of(run)
    others = [info for info in technique.metrics if info.group not in PLAIN_GROUPS] if technique else []
    more = [info.key for info in others if info.key in run.latest and info.key not in found]
    return [*found, *more[:1]][:MOST] or [named[0]]


def is_to_come(run: Run, key: str) -> bool:
    """Whether it will be logged: what is measured on held-out rows only where there are some."""
    return run_words.is_active(run) and (not key.startswith("eval_") or run.held_out_id is not None)


def figure(run: Run, key: str, line: Line | None) -> Figure:
    info = metrics.describe([run], [key])[0]
    line = line.take(np.isfinite(line.values)) if line is not None else None
    beginning = f"began at {words.number(float(line.values[0]))}" if line is not None and len(line) else ""
    return Figure(
        key=key,
        title=info["title"],
        value=run_words.figure(run, key),
        unit=info["unit"] if key in run.latest else "",
        trend=told(line.values, metrics.better([run], key)) if line is not None else "",
        note="; ".join(filter(None, (judged(run, key), beginning))),
        line=drawn(line) if line is not None else "",
    )


def judged(run: Run, key: str) -> str:
    """“too high: healthy is below 20 nats” where the newest value is outside that range."""
    technique, value = run_words.technique_of(run), run_words.value(run, key)
    own = {info.key: info for info in technique.metrics} if technique else {}
    info: MetricInfo | None = own.get(key)
    missed = info.healthy.missed(value) if info and info.healthy and value is not None else ""
    return f"{missed}: healthy is {info.healthy_words()}" if info and missed else ""


def told(values: NDArray[np.float64], better: str) -> str:
    """“−0.12 over the last tenth, better”, “level over the last tenth”; of few points it is the last step
    that counts."""
    if len(values) < 2:
        return ""
    many = len(values) // TENTH
    size = max(1, many)
    recent, before = values[-size:], values[-2 * size : -size]
    over = "over the last tenth" if many > 1 else "since the one before"
    change = float(recent.mean() - before.mean())
    doubt = CERTAIN * float(np.sqrt((recent.var() + before.var()) / size))
    if abs(change) <= max(doubt, STILL * float(np.ptp(values))):
        return f"level {over}"
    good = (change > 0) == (better == "higher")
    verdict = f", {'better' if good else 'worse'}" if better else ""
    return f"{'+' if change > 0 else '−'}{words.number(abs(change), 2)} {over}{verdict}"


def drawn(line: Line) -> str:
    """The points of the line, in a picture WIDE by HIGH."""
    if len(line) < 2:
        return ""
    steps, values = metrics.thin(line.steps.tolist(), line.values.tolist(), POINTS)
    across, up = np.asarray(steps, dtype=float), np.asarray(values, dtype=float)
    x = (across - across[0]) / (np.ptp(across) or 1.0) * WIDE
    y = HIGH - EDGE - (up - up.min()) / (np.ptp(up) or 1.0) * (HIGH - 2 * EDGE)
    return " ".join(f"{one:.1f},{other:.1f}" for one, other in zip(x, y, strict=True))
