"""Exact match: right is what equals the reference. Two JSON texts are compared as values, so that spacing
and the order of keys do not count."""

import json
from typing import Any

from studio.graders.base import Grader


def score(answer: str, reference: str) -> float:
    """1 when the answer equals the reference, else 0. White space at both ends does not count."""
    expected = _value(reference)
    given = _value(answer)
    if isinstance(expected, dict | list):
        return float(given == expected)
    return float(answer.strip() == reference.strip())


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


GRADER = Grader(
    name="exact_match",
    title="Exact match",
    help="The answer equals the reference. JSON is compared by value.",
    score=score,
    order=10,
)
