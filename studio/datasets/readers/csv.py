"""CSV and TSV: the first record names the columns; delimiter, quoting and encoding are sniffed.

Cells stay text: what a cell means (a number, a label, JSON) is for the formats to say.
"""

import csv
import io
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from studio.datasets.readers.base import (
    DAMAGED_GZIP,
    BadRow,
    Limits,
    Line,
    Reader,
    first_bytes,
    open_text,
    sniff_encoding,
)
from studio.errors import StudioError

DELIMITERS = (",", ";", "\t", "|")
SAMPLE_RECORDS = 50


@dataclass(frozen=True)
class Dialect:
    """How the cells are set apart. `escape` is a backslash where quotes inside quotes are written \\"."""

    delimiter: str
    quote: str = '"'
    escape: str | None = None

    def reader(self, lines: Iterator[str], strict: bool = False) -> Iterator[list[str]]:
        return csv.reader(
            lines,
            delimiter=self.delimiter,
            quotechar=self.quote,
            escapechar=self.escape,
            doublequote=self.escape is None,
            skipinitialspace=True,
            strict=strict,
        )


def read(path: Path, limits: Limits) -> Iterator[Line]:
    """Rows as {column: text} with the line on which each begins; a record with too many or too few
    cells is a bad row."""
    csv.field_size_limit(limits.row)  # process-wide in Python; the default of 128 kB cuts long answers
    start = first_bytes(path, limits)
    dialect = sniff(start.decode(sniff_encoding(start), errors="replace"))
    with open_text(path, limits) as text:
        lines = _Lines(text, limits.row)
        records = dialect.reader(lines)
        try:
            yield from _rows(lines, records)
        except DAMAGED_GZIP:
            yield lines.number + 1, BadRow("the compressed file is damaged or cut off here")


class _Lines:
    """The lines of a text one by one, counted; one that is too long is cut (the record then is bad)."""

    def __init__(self, text: io.TextIOWrapper, longest: int):
        self._text, self._longest, self.number = text, longest, 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._text.readline(self._longest)
        if not line:
            raise StopIteration
        self.number += 1
        return line


def _rows(lines: _Lines, records: Iterator[list[str]]) -> Iterator[Line]:
    names = _header(records)
    while True:
        start = lines.number + 1
        try:
            cells = next(records, None)
        except csv.Error as problem:
            yield start, BadRow(f"cannot be read as a record: {problem}")
            continue
        if cells is None:
            return
        if not cells or cells == [""]:
            continue
        if len(cells) != len(names):
            yield start, BadRow(f"has {len(cells)} cells where the heading has {len(names)}")
            continue
        yield start, dict(zip(names, cells, strict=True))


def _header(records: Iterator[list[str]]) -> list[str]:
    try:
        found = next((record for record in records if any(cell.strip() for cell in record)), [])
    except csv.Error as problem:
        raise StudioError(
            f"The heading of the table cannot be read: {problem}.", hint="Save the table as CSV in UTF-8."
        ) from None
    names = [name.strip().lstrip("\ufeff") or f"column_{place}" for place, name in enumerate(found, 1)]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise StudioError(
            f"Two columns are called “{min(twice)}”.", hint="Give every column a name of its own."
        )
    if not names:
        raise StudioError("The table has no heading.", hint="Name the columns in the first line.")
    return names


class Fit(NamedTuple):
    """How well a dialect suits a sample, best first by comparison: the share of records as wide as the
    heading, whether every quote is closed where it should be, the width (0 for a single column)."""

    share: float
    clean: bool
    width: int


def sniff(sample: str) -> Dialect:
    """The dialect that fits the first records best; a file without any delimiter is one column."""
    first = sample.lstrip("\ufeff \r\n")[:1]
    quote = "'" if first == "'" else '"'
    escapes = (None, "\\") if f"\\{quote}" in sample else (None,)
    options = [Dialect(delimiter, quote, escape) for escape in escapes for delimiter in DELIMITERS]
    best = max(options, key=lambda option: _fit(option, sample))
    if _fit(best, sample).width:
        return best
    return max((Dialect(",", quote, escape) for escape in escapes), key=lambda one: _is_clean(one, sample))


def _fit(dialect: Dialect, sample: str) -> Fit:
    records: list[list[str]] = []
    try:
        for record in dialect.reader(io.StringIO(sample, newline="")):
            if record:
                records.append(record)
            if len(records) == SAMPLE_RECORDS:
                break
    except csv.Error:
        return Fit(0.0, False, 0)
    width = len(records[0]) if records else 0
    if width < 2:
        return Fit(0.0, False, 0)
    body = records[1:] or records
    share = sum(len(record) == width for record in body) / len(body)
    return Fit(round(share, 1), _is_clean(dialect, sample), width)


def _is_clean(dialect: Dialect, sample: str) -> bool:
    try:
        for _ in itertools.islice(dialect.reader(io.StringIO(sample, newline=""), True), SAMPLE_RECORDS):
            pass
    except csv.Error:
        return False
    return True


def accepts(start: bytes) -> bool:
    """Whether it reads as a table of two or more columns under a heading."""
    if b"\0" in start and not start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return False
    sample = start.decode(sniff_encoding(start), errors="replace")
    return _fit(sniff(sample), sample).share >= 0.8 and len(sample.splitlines()) > 1


READER = Reader("csv", "CSV / TSV", (".csv", ".tsv", ".tab"), read, accepts, loose=True, order=30)
