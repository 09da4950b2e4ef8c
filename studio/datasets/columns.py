"""Columns: giving a file's own column names the meaning a format expects.

A mapping reads {"prompt": "frage", "completion": "antwort"}: our field, then the column that holds it.
"""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from studio.datasets import shapes
from studio.datasets.shapes import Row
from studio.errors import StudioError

# Columns whose cell in a table may be a list written as JSON.
LISTS = ("messages", "conversations", "contents", "prompt", "completion", "chosen", "rejected", "history")
# Names people give to our fields, in the languages we have met.
ALSO_CALLED: dict[str, tuple[str, ...]] = {
    "prompt": (
        "question",
        "query",
        "input",
        "instruction",
        "request",
        "user",
        "frage",
        "eingabe",
        "pregunta",
    ),
    "completion": ("answer", "response", "output", "reply", "assistant", "antwort", "ausgabe", "respuesta"),
    "messages": ("conversation", "conversations", "dialog", "dialogue", "chat", "turns"),
    "chosen": ("preferred", "better", "accepted", "winner", "good", "besser"),
    "rejected": ("dispreferred", "worse", "refused", "loser", "bad", "schlechter"),
    "label": ("class", "category", "target", "tag", "klasse", "etiqueta"),
    "score": ("rating", "stars", "grade", "points", "note", "bewertung"),
    "text": ("content", "body", "document", "sentence", "inhalt", "texto"),
    "query": ("anchor", "question", "search", "suche"),
    "positive": ("passage", "document", "context", "relevant"),
    "reference_answer": ("ground_truth", "solution", "reference", "expected", "gold", "truth"),
}
CLOSE = 0.75


def suggest(columns: Iterable[str], shape: str) -> dict[str, str]:
    """For each required field of the shape the column that most likely holds it; fields without a
    likely column are left out."""
    left = list(columns)
    found: dict[str, str] = {}
    for field in shapes.get(shape).required:
        scored = [(likeness(field, column), column) for column in left]
        best = max(scored, default=(0.0, ""), key=lambda pair: pair[0])
        if best[0] >= CLOSE:
            found[field] = best[1]
            left.remove(best[1])
    return found


def likeness(field: str, column: str) -> float:
    """How alike the names are, from 0 to 1; a known other name counts as 0.95."""
    plain = column.strip().lower().replace("-", "_").replace(" ", "_")
    if plain == field:
        return 1.0
    names = (field, *ALSO_CALLED.get(field, ()))
    if any(name == plain or name in plain.split("_") for name in names):
        return 0.95
    return max(difflib.SequenceMatcher(None, name, plain).ratio() for name in names)


def rename(row: Row, mapping: Mapping[str, str]) -> Row:
    """The row with mapped columns under our names. A column that loses its name to one is kept as
    `NAME_original`."""
    sources = set(mapping.values())
    renamed = {
        (f"{name}_original" if name in mapping else name): value
        for name, value in row.items()
        if name not in sources
    }
    return renamed | {field: row[column] for field, column in mapping.items() if column in row}


def require(mapping: Mapping[str, str], columns: Iterable[str]) -> None:
    """Raises StudioError where a mapped column is nowhere in the file."""
    known = list(columns)
    for field, column in mapping.items():
        if column not in known:
            raise StudioError(
                f"There is no column “{column}” to take “{field}” from.",
                hint=f"The file has: {', '.join(known[:20])}.",
                field="columns",
            )


def unpack(row: Row) -> Row:
    """Table cells that hold messages or tools as JSON become lists; all other cells stay text."""
    for name in LISTS:
        cell = row.get(name)
        if isinstance(cell, str) and cell.lstrip()[:2] in ("[{", "[[", "[ ", "[\n"):
            unpacked = _parse(cell)
            if isinstance(unpacked, list) and unpacked and isinstance(unpacked[0], dict | list):
                row[name] = unpacked
    return row


def _parse(cell: str) -> Any:
    try:
        return orjson.loads(cell)
    except orjson.JSONDecodeError:
        return None
