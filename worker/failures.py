"""What went wrong, in a plain sentence, with a next step. The full traceback goes to the log."""

import errno
import traceback
from typing import Any

import torch

from studio.errors import StudioError


def explain(problem: BaseException) -> dict[str, Any]:
    """`{"kind", "message", "hint", "details"}` for a run that failed."""
    kind, message, hint = _classify(problem)
    details = "".join(traceback.format_exception(problem))[-8000:]
    return {"kind": kind, "message": message, "hint": hint, "details": details}


def _classify(problem: BaseException) -> tuple[str, str, str]:
    if isinstance(problem, StudioError):
        return "settings", problem.message, problem.hint
    if isinstance(problem, Diverged):
        return (
            "diverged",
            str(problem),
            "Clone it with a learning rate three to ten times lower, or check the data for empty answers.",
        )
    if isinstance(problem, torch.cuda.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(
        problem
    ):
        return (
            "out of memory",
            "The device ran out of memory.",
            "Clone it with half the batch size and twice the accumulation: same result, less memory.",
        )
    if isinstance(problem, OSError) and problem.errno == errno.ENOSPC:
        return (
            "disk full",
            "The disk is full.",
            "Free some space, then resume: the run goes on from its checkpoint.",
        )
    return (
        "bug",
        f"{type(problem).__name__}: {str(problem).splitlines()[0] if str(problem) else ''}",
        ("This is likely a fault in the studio or a library; the details below help to report it."),
    )


class Diverged(Exception):
    """The loss is no longer a number."""
