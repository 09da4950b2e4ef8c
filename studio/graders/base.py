"""What a grader is."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Grader:
    """`score(answer, reference)` returns 0 (wrong) to 1 (right)."""

    name: str
    title: str
    help: str
    score: Callable[[str, str], float]
    order: int = 100
