"""Evaluation sets: {"query", "response", "category"} with an optional `system`."""

from studio.datasets.formats.base import Format, Row, keep_meta, read_side, with_system


def fits(row: Row) -> str | None:
    has = "query" in row and "response" in row and ("category" in row or "system" in row)
    return "instruction" if has else None


def normalise(row: Row, shape: str) -> Row:
    made = {"prompt": with_system(row, read_side(row, "query")), "completion": read_side(row, "response")}
    return keep_meta(made, row, ("query", "response", "system"))


FORMAT = Format(
    "evaluation",
    "Evaluation set",
    ("instruction",),
    "“query” and “response” with “category” or “system”",
    fits,
    normalise,
    order=120,
)
