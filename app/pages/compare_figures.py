"""Where the runs of /compare stand, live: one row a run, and one a group with its mean and spread.

A fragment of that page, no page."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from app import diagnosis
from app.pages import run_words
from app.pages.compare_choice import CALM, Asked, read
from app.parts import Paced, Query, fragment, live, render, words
from studio import comparison, db, metrics
from studio.comparison import Group
from studio.models import Run

UNTOLD = {"Loss", "Optimiser", "Throughput"}  # groups of charts whose figures say little side by side
MOST_COLUMNS = 10


@dataclass(frozen=True)
class Rows:
    """A group of the table with what each column says of its runs together; without a group all runs."""

    group: Group | None
    runs: Sequence[Run]
    place: int
    summaries: Sequence[str]


@fragment("compare-figures")
def compare_figures(query: Query) -> Paced:
    with db.reading() as session:
        asked = read(session, query)
        if len(asked.shown) < 2:
            return Paced(Markup(""), CALM)
        told = columns(asked.shown)
        body = render(
            "compare_figures.html",
            say=run_words,
            asked=asked,
            columns=told,
            parts=parts(asked, told),
            marks=diagnosis.marks(session, asked.shown),
        )
    return Paced(body, 1 if asked.is_active else CALM)


def place() -> str:
    return live("compare-figures", every=1, rows=5)


def parts(asked: Asked, told: Sequence[dict[str, Any]]) -> list[Rows]:
    if not asked.groups:
        return [Rows(None, asked.shown, 0, [])]
    return [
        Rows(group, group.runs, place, [summary(group.runs, column["key"]) for column in told])
        for place, group in enumerate(asked.groups)
    ]


def summary(runs: Sequence[Run], key: str) -> str:
    """The mean of the runs' newest values, and their spread: “0.412 ± 0.013”."""
    values = [value for run in runs if (value := run_words.value(run, key)) is not None]
    if not values:
        return words.MISSING
    mean = words.number(statistics.mean(values))
    if len(values) < 2:
        return mean
    decimals = len(mean.partition(".")[2])
    return f"{mean} ± {statistics.stdev(values):.{decimals}f}"


def columns(shown: Sequence[Run]) -> list[dict[str, Any]]:
    """One column a headline metric: `{"title", "help", "key", "best"}`; `best` holds the ids of the runs that
    are best, and is empty where runs were not measured on the same held-out data."""
    wanted = ["loss", "eval_loss"]
    for run in shown:
        technique = run_words.technique_of(run)
        own = [technique.best_by[0]] if technique else []
        wanted += own + [m.key for m in (technique.metrics if technique else []) if m.group not in UNTOLD]
    logged = {key for run in shown for key in run.latest} - {"entropy"}
    present = [key for key in dict.fromkeys(wanted) if key in logged]
    described = metrics.describe(shown, present[:MOST_COLUMNS])
    return [chart | {"best": best(shown, chart["key"])} for chart in described]


def best(shown: Sequence[Run], key: str) -> set[int]:
    """Only figures on the same held-out data say which run is better."""
    if not key.startswith("eval_") or comparison.why_not(shown, key):
        return set()
    values = {run.id: value for run in shown if (value := run_words.value(run, key)) is not None}
    if len(set(values.values())) < 2:
        return set()
    winner = (min if metrics.better(shown, key) == "lower" else max)(values.values())
    return {run_id for run_id, value in values.items() if value == winner}
