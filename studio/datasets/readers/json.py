"""JSON: an array of objects, an object that holds exactly one array of objects, or a single row.

Elements are decoded one after the other from a moving window, so a large array is never held whole.
After a broken element nothing can be trusted: it becomes a bad row and the file ends there.
"""

import codecs
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from studio.datasets.readers.base import (
    DAMAGED_GZIP,
    MEGABYTE,
    BadRow,
    Limits,
    Line,
    Reader,
    as_row,
    open_utf8,
)
from studio.errors import StudioError

SPACE = re.compile(r"[ \t\n\r]*")
# Arrays that are part of one row: an object holding one of these is a row, not a wrapper around rows.
ROW_FIELDS = {
    "messages",
    "conversations",
    "contents",
    "prompt",
    "completion",
    "chosen",
    "rejected",
    "history",
    "tools",
    "preferred_output",
    "non_preferred_output",
    "negatives",
    "positive",
    "system",
}


class Broken(Exception):
    """The text stops being JSON here; the message is a plain reason."""


class _Window:
    """A moving window over the text: `here` is the place read up to, `line` its line number."""

    def __init__(self, stream: BinaryIO, longest: int):
        self._stream, self._longest = stream, longest
        self._decode = codecs.getincrementaldecoder("utf-8-sig")(errors="replace").decode
        self._text, self.here, self.line, self._ended = "", 0, 1, False
        self._refused = ""
        self._decoder = json.JSONDecoder(
            parse_constant=self._constant, parse_int=self._integer, parse_float=self._float
        )

    def _constant(self, name: str) -> None:
        self._refused = f"holds {name}, which JSON does not know: use null or a number"

    def _integer(self, digits: str) -> int | float:
        """Whole numbers beyond 64 bits become floating point, as they do when reading JSONL."""
        value = int(digits) if len(digits) < 21 else 2**64
        return value if -(2**63) <= value < 2**64 else self._float(digits)

    def _float(self, digits: str) -> float:
        value = float(digits)
        if value in (float("inf"), float("-inf")):
            self._refused = "holds a number that is too large"
        return value

    def _more(self) -> bool:
        """Drop what was read, take in as much again as is held (at least 1 MB)."""
        self._text, self.here = self._text[self.here :], 0
        if self._ended:
            return False
        data = self._stream.read(max(MEGABYTE, len(self._text)))
        self._ended = not data
        self._text += self._decode(data, final=not data)
        return True

    def _move(self, to: int) -> None:
        self.line += self._text.count("\n", self.here, to)
        self.here = to

    def peek(self) -> str:
        """The next character that is not white space; "" at the end."""
        while True:
            found = SPACE.match(self._text, self.here)
            self._move(found.end() if found else self.here)
            if self.here < len(self._text):
                return self._text[self.here]
            if not self._more():
                return ""

    def take(self, wanted: str) -> bool:
        """Step over `wanted` if it comes next."""
        if self.peek() != wanted:
            return False
        self._move(self.here + 1)
        return True

    def value(self) -> Any:
        """The next whole JSON value; a BadRow where it holds a number JSON cannot. Raises Broken."""
        self.peek()
        while True:
            self._refused = ""
            try:
                value, end = self._decoder.raw_decode(self._text, self.here)
            except json.JSONDecodeError as problem:
                held = len(self._text) - self.here
                if self._ended or (problem.pos < len(self._text) - 64 and "Unterminated" not in problem.msg):
                    raise Broken(self._explain(problem)) from None
                if held > self._longest:
                    raise Broken(f"is longer than {self._longest:,} bytes") from None
                self._more()
                continue
            except RecursionError:
                raise Broken("is nested too deeply") from None
            if end == len(self._text) and not self._ended:  # a number may go on in the next piece
                self._more()
                continue
            self._move(end)
            return BadRow(self._refused) if self._refused else value

    def _explain(self, problem: json.JSONDecodeError) -> str:
        if (self._ended and problem.pos >= len(self._text) - 1) or "Unterminated" in problem.msg:
            return "the JSON is cut off: the file ends too early"
        line = self.line + self._text.count("\n", self.here, problem.pos)
        return f"is not valid JSON: {problem.msg.lower()}, on line {line}"


def read(path: Path, limits: Limits) -> Iterator[Line]:
    """Rows with the line on which each begins."""
    with open_utf8(path, limits) as stream:
        window = _Window(stream, limits.row)
        try:
            yield from _document(window)
        except Broken as problem:
            yield window.line, BadRow(f"{problem}; the rest of the file was not read")
        except DAMAGED_GZIP:
            yield window.line, BadRow("the compressed file is damaged or cut off here")


def _document(window: _Window) -> Iterator[Line]:
    first = window.peek()
    if first == "[":
        yield from _array(window)
    elif first == "{":
        yield from _object(window)
    else:
        raise StudioError(
            "The file is not JSON: it begins with neither [ nor {.",
            hint="Write the rows as a JSON array, or one JSON object a line as .jsonl.",
        )
    while window.peek():  # several values one after the other
        line = window.line
        yield line, as_row(window.value())


def _array(window: _Window) -> Iterator[Line]:
    window.take("[")
    if window.take("]"):
        return
    while True:
        window.peek()
        line = window.line
        yield line, as_row(window.value())
        if window.take("]"):
            return
        if not window.take(","):
            raise Broken("is not followed by a comma or the end of the array")


def _object(window: _Window) -> Iterator[Line]:
    """A wrapper around one array gives the array's rows; any other object is itself one row."""
    start, row, wrapped = window.line, dict[str, Any](), ""
    refused: BadRow | None = None
    window.take("{")
    while not window.take("}"):
        if window.peek() != '"':
            raise Broken("has a field without a name in double quotes")
        name = window.value()
        if not window.take(":"):
            raise Broken(f"has no colon after “{name[:40]}”")
        if window.peek() == "[" and name not in ROW_FIELDS and not ROW_FIELDS & row.keys():
            if wrapped:
                raise StudioError(
                    f"The file holds two arrays, “{wrapped}” and “{name[:40]}”.",
                    hint="Keep the array that holds the rows, or save each as its own file.",
                )
            wrapped = name[:40]
            yield from _array(window)
        else:
            row[name] = window.value()
            refused = row[name] if isinstance(row[name], BadRow) else refused
        if not window.take(",") and window.peek() != "}":
            raise Broken("has a field that is not followed by a comma or a closing brace")
    if not wrapped:
        yield start, refused or row


def accepts(start: bytes) -> bool:
    """Whether the first character opens an array or an object."""
    return start.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"[", b"{")


READER = Reader("json", "JSON", (".json",), read, accepts, order=20)
