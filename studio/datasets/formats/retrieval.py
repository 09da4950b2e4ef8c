"""Retrieval pairs and triplets: query and passage, anchor and positive, question and context."""

from typing import Any

from studio.datasets.formats.base import Format, Row, RowError, keep_meta, read_text

PAIRS = (
    ("query", "positive"),
    ("query", "passage"),
    ("query", "document"),
    ("anchor", "positive"),
    ("question", "context"),
    ("question", "passage"),
)
NEGATIVES = ("negatives", "negative", "hard_negatives", "hard_negative")


def pair(row: Row) -> tuple[str, str] | None:
    return next((names for names in PAIRS if names[0] in row and names[1] in row), None)


def fits(row: Row) -> str | None:
    return "retrieval" if pair(row) and not row.keys() & {"answer", "answers", "response"} else None


def normalise(row: Row, shape: str) -> Row:
    names = pair(row)
    if not names:
        raise RowError("has no query with a passage (such as “query” and “positive”)")
    made: Row = {"query": read_text(row, names[0]), "positive": read_text(row, names[1])}
    if negatives := [text for name in NEGATIVES for text in _negatives(row.get(name), name)]:
        made["negatives"] = negatives
    return keep_meta(made, row, (*names, *NEGATIVES))


def _negatives(value: Any, name: str) -> list[str]:
    values = [] if value is None else value if isinstance(value, list) else [value]
    if not all(isinstance(text, str) for text in values):
        raise RowError(f"“{name}” is neither a text nor a list of texts")
    return values


FORMAT = Format(
    "retrieval",
    "Retrieval pairs",
    ("retrieval",),
    "a query and a passage that answers it",
    fits,
    normalise,
    order=130,
)
