"""The runs of a sweep beside each other: what each tried, and which did best. A helper of /runs, no page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app import forms
from app.pages import run_words
from studio import adapters, metrics, sweeps, techniques
from studio.models import Run, Sweep


@dataclass(frozen=True)
class Ranking:
    """`columns` are the titles of what is varied, `tried` its values in each run, by id. `metric` is the
    title of what the runs are ranked by, `values` its newest value in each run that has logged it, the best
    first; `said` says so in a sentence, or why they are not ranked."""

    columns: list[str]
    tried: dict[int, list[Any]]
    metric: str
    values: dict[int, float]
    said: str
    is_over: bool

    def mark(self, run: Run) -> str:
        """“best”, of the best run; where there is one only, nobody can say that."""
        if len(self.values) < 2 or run.id != next(iter(self.values)):
            return ""
        return "best" if self.is_over else "best so far"

    def ordered(self, runs: Sequence[Run]) -> list[Run]:
        """Those that are ranked, then the others in the order of their launch."""
        places = {run_id: place for place, run_id in enumerate(self.values)}
        return sorted(runs, key=lambda run: (places.get(run.id, len(places)), run.id))

    def sort(self, column: int) -> str:
        """How the browser sorts a column: as “number” or “text”."""
        values = [row[column] for row in self.tried.values()]
        return "number" if all(isinstance(value, int | float) for value in values) else "text"


def ranking(session: Session, sweep: Sweep) -> Ranking:
    made = sweeps.runs_of(session, sweep.id)
    return Ranking(
        [title_of(sweep, name) for name in sweep.fields],
        {run.id: list(sweeps.tried(sweep, run).values()) for run in made},
        *ranks(session, sweep, made),
        is_over=not any(run_words.is_going(run) for run in made),
    )


def ranks(session: Session, sweep: Sweep, made: Sequence[Run]) -> tuple[str, dict[int, float], str]:
    """(title of the metric, its newest value of each run that has one, a sentence on both)"""
    found = sweeps.criterion(made)
    if found is None:
        return "", {}, "Not ranked: the figures of different techniques do not compare."
    metric, better = found
    title = metrics.describe(made[:1], [metric])[0]["title"]
    if not any(run.held_out_id for run in made):
        return title, {}, "Not ranked: nothing is held out, so nobody knows which of them is best."
    values = {run.id: value for run, value in sweeps.ranked(session, sweep.id, metric, better)}
    if not values:
        return title, {}, f"Ranked by {title.lower()} as soon as that is measured."
    return title, values, f"Ranked by {title.lower()}: the {better}, the better."


def title_of(sweep: Sweep, name: str) -> str:
    """What a varied setting is called where it is set."""
    _, is_adapters, setting = name.partition(".")
    family = adapters if is_adapters else techniques
    owner = sweep.config.get("adapter" if is_adapters else "technique", "")
    title = forms.title(family.get(owner).parameters, setting or name) if family.has(owner) else name
    return title[:1].upper() + title[1:]
