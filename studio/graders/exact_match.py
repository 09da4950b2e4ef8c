"""Exact match: right is what equals the reference. Two JSON texts are compared as values, so that spacing
and the order of keys do not count."""

import json
from typing import Any

from studio.graders.base import VERIFIABLE, Case, Grader
from studio.graders.reading import as_text
from studio.parameters import NoParameters


def score(case: Case, _parameters: NoParameters) -> float:
    """1 when the answer equals the reference, else 0. White space at both ends does not count; in JSON 2.0
    equals 2, but `true` is no number."""
    expected = _value(case.reference) if isinstance(case.reference, str) else case.reference
    if isinstance(expected, dict | list):
        given = _value(case.answer)
        return float(given == expected and _kinds(given) == _kinds(expected))
    return float(case.answer.strip() == as_text(case.reference).strip())


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _kinds(value: Any) -> Any:
    """The shape of a value with booleans told apart from numbers: Python takes True for 1."""
    if isinstance(value, dict):
        return {key: _kinds(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_kinds(item) for item in value]
    return isinstance(value, bool)


GRADER = Grader(
    name="exact_match",
    title="Exact match",
    help="The answer equals the reference. JSON is compared by value.",
    aliases=VERIFIABLE,
    each=score,
    order=10,
    as_it_is=True,
)
