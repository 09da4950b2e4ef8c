"""The family of readers: one file a container. `read` picks one and streams its rows."""

import sys
from collections.abc import Iterator
from pathlib import Path

from studio.datasets.readers.base import (
    BadRow,
    Limits,
    Line,
    Reader,
    first_bytes,
)
from studio.errors import StudioError
from studio.registry import Registry

__all__ = ["READERS", "BadRow", "Limits", "Line", "Reader", "choose", "read"]

READERS: Registry[Reader] = Registry(sys.modules[__name__], "READER", "reader")

BINARY_SIGNS = {
    b"PK\x03\x04": "a zip archive or an Office document",
    b"%PDF": "a PDF",
    b"\x89PNG": "an image",
    b"\xff\xd8\xff": "an image",
    b"SQLite format 3": "an SQLite database",
    b"\x80\x04": "a Python pickle",
    b"ARROW1": "an Arrow file",
}


def choose(path: Path, name: str | None = None, limits: Limits | None = None) -> Reader:
    """The reader for this file: the one for the ending of `name` (the uploaded file's own name; default
    the path's), unless the content plainly is something else. Raises StudioError where none fits."""
    limits = limits or Limits()
    if not path.is_file():
        raise StudioError(f"There is no file “{path.name}”.", hint="Check the path, and that it is a file.")
    start = first_bytes(path, limits)
    if not start:
        raise StudioError("The file is empty.", hint="Upload a file with at least one row.")
    _refuse_binary(start)
    suffixes = [suffix.lower() for suffix in Path(name or path.name).suffixes]
    ending = next((suffix for suffix in reversed(suffixes) if suffix != ".gz"), "")
    named = next((reader for reader in READERS.all() if ending in reader.suffixes), None)
    if named and named.accepts(start):
        return named
    sniffed = next((reader for reader in READERS.all() if reader.accepts(start)), None)
    if named and (sniffed is None or sniffed.loose):
        return named
    if sniffed:
        return sniffed
    known = ", ".join(suffix for reader in READERS.all() for suffix in reader.suffixes)
    raise StudioError(
        f"“{name or path.name}” is not a kind of file we can read.", hint=f"Save it as one of: {known}."
    )


def _refuse_binary(start: bytes) -> None:
    for sign, what in BINARY_SIGNS.items():
        if start.startswith(sign):
            raise StudioError(
                f"The file is {what}, which holds no rows we can read.",
                hint="Export the data as JSONL, CSV or Parquet.",
            )


def read(
    path: Path, *, name: str | None = None, reader: str | None = None, limits: Limits | None = None
) -> Iterator[Line]:
    """(line number, row or BadRow) for every row of the file, as a stream in bounded memory."""
    limits = limits or Limits()
    chosen = READERS.get(reader) if reader else choose(path, name, limits)
    return chosen.read(path, limits)
