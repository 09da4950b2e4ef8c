"""What every page says about a run in the same words: technique, figures, time. A helper, no page."""

from datetime import datetime
from functools import cache

from app.parts import words
from studio import adapters, metrics, techniques
from studio.adapters import Adapter
from studio.models import Kind, Run, State, Wish, now
from studio.runs import ACTIVE, GOING, IN_PROGRESS, RESUMABLE
from studio.techniques import Technique
from studio.techniques.base import HEADLINE

LONGEST_SHORT_NAME = 5  # "sft" is known as SFT; "reward_model" is better called by its title

FILTERS = {
    "": ("All", frozenset(State)),
    "active": ("In progress", frozenset(ACTIVE)),
    "done": ("Done", frozenset({State.SUCCEEDED})),
    "stopped": ("Stopped", frozenset({State.CANCELLED, State.PAUSED})),
    "failed": ("Failed", frozenset({State.FAILED})),
}


def technique_of(run: Run) -> Technique | None:
    """None for a technique whose file is gone."""
    return techniques.get(run.technique) if techniques.has(run.technique) else None


def technique(run: Run) -> str:
    if run.kind == Kind.IMPORTED:
        return "Imported"
    found = technique_of(run)
    if len(run.technique) <= LONGEST_SHORT_NAME or found is None:
        return run.technique.upper()
    return found.title


def adapter_of(run: Run) -> Adapter | None:
    return adapters.get(run.adapter) if adapters.has(run.adapter) else None


def adapter(run: Run) -> str:
    found = adapter_of(run)
    return found.title if found else run.adapter


def way(run: Run) -> str:
    """“SFT · LoRA”; of a run from elsewhere only that it is one."""
    return " · ".join(filter(None, [technique(run), adapter(run)]))


def value(run: Run, key: str) -> float | None:
    """The newest value of a metric; None when there is none or it was no finite number."""
    found = run.latest.get(key)
    return None if isinstance(found, str) else found


def figure(run: Run, key: str) -> str:
    """The newest value of a metric with four significant digits."""
    found = run.latest.get(key)
    if isinstance(found, str):
        return "not a number" if found == "NaN" else "infinite"
    return words.number(found)


def headline(run: Run) -> tuple[str, ...]:
    """The metrics a run is judged by, the first one first."""
    found = technique_of(run)
    return found.headline if found else HEADLINE


def result(run: Run) -> str:
    """Of these the first that it has logged; empty while there is none."""
    return next((key for key in headline(run) if key in run.latest), "")


@cache
def titled(technique: str, key: str) -> str:
    """What a metric is called where runs of a technique stand in a table."""
    return str(metrics.describe([Run(technique=technique)], [key])[0]["title"])


def is_active(run: Run) -> bool:
    return run.state in ACTIVE


def is_in_progress(run: Run) -> bool:
    return run.state in IN_PROGRESS


def is_going(run: Run) -> bool:
    """Whether it will still make a model, for which other runs can wait."""
    return run.kind == Kind.TRAIN and run.state in GOING and run.wish != Wish.STOP


def is_resumable(run: Run) -> bool:
    return run.state in RESUMABLE


def is_hopeless(run: Run) -> bool:
    """Failed in a way that going on unchanged would repeat: a clone with other settings is the way out."""
    return run.state == State.FAILED and run.error.get("kind") in {"out of memory", "diverged", "settings"}


def took(run: Run) -> float | None:
    """Seconds from the first start to the end, or until now. None: never started."""
    if run.started is None:
        return None
    until: datetime = run.ended or now()
    return (until - run.started).total_seconds()


def time(run: Run) -> str:
    """The one time that matters: what is left while it runs, what it took when it is over."""
    if run.state == State.QUEUED:
        return words.MISSING
    if is_in_progress(run):
        if run.seconds_left is None:
            return words.MISSING
        return "< 10 s left" if run.seconds_left < 10 else words.left(run.seconds_left)
    seconds = took(run)
    return words.MISSING if seconds is None else f"took {words.duration(seconds)}"


def activity(run: Run) -> str:
    """What a run in progress is doing besides stepping; empty while it simply trains."""
    if run.wish and is_in_progress(run):
        return f"{'Pausing' if run.wish == 'pause' else 'Stopping'}: saving a checkpoint"
    return run.activity if is_in_progress(run) else ""
