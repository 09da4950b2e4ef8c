"""Tries a grader on one answer written by hand, before a run depends on it. Keeps nothing."""

from dataclasses import dataclass
from typing import Any

from studio import graders
from studio.errors import Refused
from studio.graders.base import Case, Score
from studio.graders.choice import GraderChoice, settings_of


@dataclass(frozen=True)
class Trial:
    """`note` says why there is no score, or what went wrong on the way to one."""

    score: Score
    note: str = ""


def run(choice: GraderChoice, case: Case) -> Trial:
    """Raises StudioError for a wrong setting, and for a grader that needs the worker's models."""
    grader = graders.get(choice.grader)
    settings = settings_of(choice)
    if grader.scorer:
        raise Refused(
            f"“{grader.title}” needs a model that only a worker loads.",
            hint="The reward lab tries it, on answers of a model of yours.",
            field="grader",
        )
    scorer: Any = grader.ready(settings)
    (score,) = scorer([case])
    failures = getattr(scorer, "failures", None)
    if failures is not None and failures.failed:
        return Trial(score, failures.last)
    return Trial(score, "" if score is not None else "This grader has nothing to say about this row.")
