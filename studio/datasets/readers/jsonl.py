"""JSONL: one JSON object a line. Reads line by line; a line that is too long is passed over, not held."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from studio.datasets.readers.base import (
    DAMAGED_GZIP,
    BadRow,
    Limits,
    Line,
    Reader,
    as_row,
    open_utf8,
)

BOM = b"\xef\xbb\xbf"
NOT_NUMBERS = ("NaN", "Infinity", "-Infinity")


def read(path: Path, limits: Limits) -> Iterator[Line]:
    """One row a line; blank lines, CRLF, a byte-order mark and a missing last newline are fine."""
    line = 0
    with open_utf8(path, limits) as stream:
        try:
            for line, raw in _lines(stream, limits.row):
                if raw is None:
                    yield line, BadRow(f"the line is longer than {limits.row:,} bytes")
                elif raw:
                    yield line, parse(raw)
        except DAMAGED_GZIP:
            yield line + 1, BadRow("the compressed file is damaged or cut off here")


def _lines(stream: BinaryIO, longest: int) -> Iterator[tuple[int, bytes | None]]:
    """(line number, line without its white space); None for a line above `longest` bytes."""
    number = 0
    while raw := stream.readline(longest + 1):
        number += 1
        if len(raw) > longest and not raw.endswith(b"\n"):
            while raw and not raw.endswith(b"\n"):
                raw = stream.readline(longest + 1)
            yield number, None
            continue
        if number == 1:
            raw = raw.removeprefix(BOM)
        yield number, raw.strip()


def parse(raw: bytes) -> dict[str, Any] | BadRow:
    """One line as a row."""
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as problem:
        return BadRow(explain(raw, problem))
    return value if type(value) is dict else as_row(value)


def explain(raw: bytes, problem: orjson.JSONDecodeError) -> str:
    """Why this line is not JSON, in words for a person."""
    text = problem.msg
    if "UTF-8" in text:
        return "is not UTF-8 text: save the file as UTF-8"
    if "end of data" in text:
        return "the JSON is cut off: the line ends too early"
    if "depth limit" in text:
        return "is nested too deeply (over 1,024 levels)"
    if "control character" in text:
        return f"holds a raw control character (NUL, a tab) inside a text, at character {problem.pos + 1}"
    if "surrogate" in text:
        return f"holds half of a surrogate pair (\\ud800–\\udfff), at character {problem.pos + 1}"
    start = raw[problem.pos : problem.pos + 9]
    if number := next((word for word in NOT_NUMBERS if start.startswith(word.encode())), None):
        return f"holds {number}, which JSON does not know: use null or a number"
    if start.startswith((b"None", b"True", b"False", b"'")):
        return "looks like Python, not JSON: write it with json.dumps (double quotes, null, true, false)"
    return f"is not valid JSON: {text.split(':')[0]}, at character {problem.pos + 1}"


def accepts(start: bytes) -> bool:
    """Whether the first line with something on it is a whole JSON object of its own."""
    first, newline, rest = start.removeprefix(BOM).lstrip().partition(b"\n")
    if not first.startswith(b"{"):
        return False
    return not isinstance(parse(first.strip()), BadRow) or bool(newline and rest.lstrip().startswith(b"{"))


READER = Reader("jsonl", "JSON Lines", (".jsonl", ".ndjson", ".jsonlines"), read, accepts, order=10)
