"""Plain text and Markdown: each stretch between blank lines is one row, {"text": …}."""

from collections.abc import Iterator
from pathlib import Path

from studio.datasets.readers import jsonl
from studio.datasets.readers.base import (
    DAMAGED_GZIP,
    BadRow,
    Limits,
    Line,
    Reader,
    open_text,
)


def read(path: Path, limits: Limits) -> Iterator[Line]:
    """Paragraphs with the line on which each begins; one above the row limit is a bad row."""
    with open_text(path, limits) as text:
        paragraph: list[str] = []
        start, number, size = 1, 0, 0
        try:
            while raw := text.readline(limits.row + 1):
                number += 1
                if line := raw.rstrip():
                    start = start if size else number
                    size += len(raw)
                    paragraph.append(line)
                    if size > limits.row:
                        paragraph.clear()
                elif size:
                    yield start, _row(paragraph, size, limits)
                    paragraph, size = [], 0
        except DAMAGED_GZIP:
            yield number + 1, BadRow("the compressed file is damaged or cut off here")
        if size:
            yield start, _row(paragraph, size, limits)


def _row(paragraph: list[str], size: int, limits: Limits) -> dict[str, str] | BadRow:
    if size > limits.row:
        return BadRow(f"the paragraph is longer than {limits.row:,} characters")
    return {"text": "\n".join(paragraph)}


def accepts(start: bytes) -> bool:
    """Anything without NUL bytes that is not JSON Lines under another name."""
    return (b"\0" not in start or start.startswith((b"\xff\xfe", b"\xfe\xff"))) and not jsonl.accepts(start)


READER = Reader("text", "Plain text", (".txt", ".md", ".markdown"), read, accepts, loose=True, order=90)
