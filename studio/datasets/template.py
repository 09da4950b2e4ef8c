"""Rows of the files that people are given to fill in: what tells an example, or a row nobody has filled in
yet, from one to learn from. Such rows are left out, with the reason, when the file comes back.

A file of ours has a column `template_note`; any other file is left alone.
"""

import re
from typing import Any

import orjson

from studio.datasets.shapes import Row

NOTE = "template_note"
EXAMPLE = "EXAMPLE: this row is left out"
# Columns that may stay empty.
OPTIONAL = frozenset({NOTE, "labelled_by", "why", "system", "passage_id", "reference_answer", "source"})
# What a spreadsheet would take for a formula.
_FORMULA = re.compile(r"[=+@\t\r]|-(?![\d.])")


def why_not(row: Row) -> str | None:
    """Why nothing is to be learned from a row; None where it was filled in, or is of another file."""
    if NOTE not in row:
        return None
    if str(row[NOTE] or "").strip().upper().startswith("EXAMPLE"):
        return f"is an example of the file to fill in: delete it, or clear its “{NOTE}” if it is yours"
    empty = next((name for name, value in row.items() if name not in OPTIONAL and is_empty(value)), None)
    return f"is not filled in: “{empty}” is empty" if empty else None


def filled_in(row: Row) -> Row:
    """The row without what only the file to fill in needed: its note, and optional cells left empty."""
    if NOTE not in row:
        return row
    kept = {name: value for name, value in row.items() if not (name in OPTIONAL and is_empty(value))}
    kept.pop(NOTE, None)
    return {name: unguarded(value) for name, value in kept.items()}


def is_empty(value: Any) -> bool:
    """Nothing was written: no text, or JSON whose every field is null or empty."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return False
    if isinstance(value, dict):
        return all(map(is_empty, value.values()))
    if isinstance(value, list):
        return all(map(is_empty, value))
    return value is None or (isinstance(value, str) and not value.strip())


def guarded(cell: str) -> str:
    """A table's cell that no spreadsheet runs as a formula."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def unguarded(value: Any) -> Any:
    is_ours = isinstance(value, str) and value[:1] == "'" and _FORMULA.match(value[1:])
    return value[1:] if is_ours else value
