"""Ratings: a prompt, one answer and a number (`rating`, `score`, `stars`)."""

import math
from typing import Any

from studio.datasets.formats.base import Format, Row, RowError, first_key, keep_meta, read_side, with_system

SCORES = ("score", "rating", "stars", "reward")
ANSWERS = ("completion", "response", "answer", "output")
PROMPTS = ("prompt", "query", "question", "instruction")


def read_score(value: Any) -> int | float | None:
    """The number, also from a table cell (with a decimal comma); None where it is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        try:
            value = float(value.strip().replace(",", "."))
        except ValueError:
            return None
        value = int(value) if value.is_integer() else value
    return value if isinstance(value, int | float) and math.isfinite(value) else None


def fits(row: Row) -> str | None:
    name = first_key(row, SCORES)
    if not name or read_score(row[name]) is None:
        return None
    return "rated" if first_key(row, PROMPTS) and first_key(row, ANSWERS) else None


def normalise(row: Row, shape: str) -> Row:
    name, prompt, answer = first_key(row, SCORES), first_key(row, PROMPTS), first_key(row, ANSWERS)
    if not (name and prompt and answer):
        raise RowError("does not have a prompt, an answer and a rating")
    score = read_score(row[name])
    if score is None:
        raise RowError(f"the rating {str(row[name])[:40]!r} is not a number")
    made: Row = {"prompt": with_system(row, read_side(row, prompt)), "completion": read_side(row, answer)}
    made["score"] = score
    return keep_meta(made, row, (name, prompt, answer, "system"))


FORMAT = Format(
    "ratings",
    "Rated answers",
    ("rated",),
    "a prompt, an answer and a number that rates it",
    fits,
    normalise,
    order=55,
)
