"""What every format shares: how it is recognised, and small readers of fields.

A format says whether a row `fits` (and as which shape) and `normalise`s it; `detect` looks at the
first rows. Normalising raises RowError with a plain reason.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from studio.datasets.messages import Message, RowError, looks_like_messages, read_messages

Row = dict[str, Any]

__all__ = ["Format", "Match", "Row", "RowError", "keep_meta", "read_side", "read_text", "with_system"]


@dataclass(frozen=True)
class Match:
    """A format that the first rows fit: the share of them, the shape, and a sentence naming the keys."""

    format: str
    shape: str
    score: float
    why: str


@dataclass(frozen=True)
class Format:
    """One format. `fits(row)` names the shape the row would have, or None; `keys` describes what makes
    it recognisable, as in “rows have KEYS”; `normalise(row, shape)` raises RowError.
    `order` is how specific it is: of two that fit, the lower wins."""

    name: str
    title: str
    shapes: tuple[str, ...]
    keys: str
    fits: Callable[[Row], str | None]
    normalise: Callable[[Row, str], Row]
    order: int

    def detect(self, rows: Sequence[Row]) -> Match | None:
        """How well these rows fit, or None where none of them does."""
        found = [shape for row in rows if (shape := self.fits(row))]
        if not found:
            return None
        shape = max(self.shapes, key=found.count)
        count = found.count(shape)
        much = "The row has" if len(rows) == 1 else f"{count:,} of the first {len(rows):,} rows have"
        if count == len(rows) > 1:
            much = f"All of the first {len(rows):,} rows have"
        return Match(self.name, shape, count / len(rows), f"{much} {self.keys}.")


def read_text(row: Row, field: str) -> str:
    """The text of a field; numbers and objects become the text a person would write for them."""
    value = row.get(field)
    if isinstance(value, str):
        return value
    if value is None:
        raise RowError(f"“{field}” is missing or null")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        raise RowError(f"“{field}” is neither text nor JSON") from None


def read_side(row: Row, field: str) -> str | list[Message]:
    """A prompt or an answer: text, or messages where the field holds messages."""
    value = row.get(field)
    if type(value) is str:
        return value
    if isinstance(value, dict) and "role" in value:
        value = [value]
    return read_messages(value, field) if looks_like_messages(value) else read_text(row, field)


def first_key(row: Row, names: Iterable[str]) -> str | None:
    """The first of these names that the row has."""
    return next((name for name in names if name in row), None)


def with_system(row: Row, prompt: str | list[Message], field: str = "system") -> str | list[Message]:
    """The prompt under the row's system text; as messages wherever the row has such a field."""
    if field not in row:
        return prompt
    system = row[field]
    messages: list[Message] = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
    if system is None or system == "":
        return messages
    if not isinstance(system, str):
        raise RowError(f"“{field}” is not text")
    return [{"role": "system", "content": system}, *messages]


def keep_meta(made: Row, row: Row, used: Iterable[str]) -> Row:
    """Adds what the format does not use under `meta`, beside what was there before."""
    used = {*used, "meta"}
    if row.keys() <= used and "meta" not in row:
        return made
    meta = row.get("meta")
    kept = dict(meta) if isinstance(meta, dict) else {} if meta is None else {"meta": meta}
    kept.update((key, value) for key, value in row.items() if key not in used)
    if kept:
        made["meta"] = kept
    return made
