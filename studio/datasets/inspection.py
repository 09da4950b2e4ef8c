"""Inspection: what is in this file, is it sound, and what can be trained on it. One pass does it all:
read, recognise, normalise, check, count, and (on request) write the canonical rows.

Knows nothing of the database; `library` keeps what this finds.
"""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from pydantic import BaseModel

from studio import techniques
from studio.datasets import canonical, checks, formats, readers, shapes, template
from studio.datasets import columns as mapping
from studio.datasets.checks import Finding
from studio.datasets.formats import Format, RowError
from studio.datasets.readers import BadRow, Limits, Line
from studio.datasets.shapes import Row, Shape
from studio.datasets.statistics import Gatherer, Statistics
from studio.datasets.view import View
from studio.errors import StudioError

rows = canonical.rows

FIRST_ROWS = 200  # enough to tell the format; they are held, so their bytes are bounded as well
FIRST_BYTES = 32 << 20
LISTED_BAD_ROWS = 1000
PREVIEW_ROWS = 5
MOST_COLUMNS = 200
MOST_OF_REASON = 300  # characters, as are the next two: a report must stay small whatever the file holds
MOST_OF_NAME = 200
MOST_OF_TEXT = 4000
MOST_LEVELS = 40
MOST_LINES_BEFORE = 20_000  # how far to look for good rows
TABLES = ("csv", "parquet")  # containers whose cells may hold lists as JSON text


class BadLine(BaseModel):
    """A row that was left out, and why."""

    line: int
    reason: str


class Report(BaseModel):
    """What a file is. `rows` counts good rows; of the bad ones all are counted and the first 1,000
    listed. `score` is the share of the first rows that fit the format (from 0 to 1). `sha256` and `bytes`
    are those of the canonical rows; `fits` are the techniques that learn from this shape;
    `conversational` says whether prompts and answers are messages."""

    container: str
    encoding: str
    format: str
    format_title: str
    shape: str
    why: str
    score: float
    conversational: bool
    rows: int
    bad_rows: list[BadLine]
    bad_row_count: int
    findings: list[Finding]
    statistics: Statistics
    columns: list[str]
    mapping: dict[str, str]
    preview: list[dict[str, Any]]
    fits: list[str]
    sha256: str
    bytes: int
    complete: bool


class Written(BaseModel):
    """What `normalise_to` wrote."""

    rows: int
    sha256: str


class Peek(BaseModel):
    """A first look, for choosing a format or mapping columns before anything is decided."""

    container: str
    columns: list[str]
    first: list[dict[str, Any]]
    candidates: list[str]
    format: str | None
    why: str


@dataclass
class _Source:
    """An opened file: its container, the first good rows (for detection) and all lines in order."""

    container: str
    encoding: str
    first: list[Row]
    lines: Iterator[Line]
    names: list[str]


def peek(path: Path, *, name: str | None = None, limits: Limits | None = None) -> Peek:
    """The first five rows as they are, their columns, and the formats that fit."""
    source = _open(path, name, {}, limits or Limits())
    match = formats.detect(source.first)
    return Peek(
        container=source.container,
        columns=source.names,
        first=[shorten(row) for row in source.first[:PREVIEW_ROWS]],
        candidates=[match.format for match in formats.matches(source.first)],
        format=match.format if match else None,
        why=match.why if match else "",
    )


def inspect(
    path: Path,
    *,
    name: str | None = None,
    format: str | None = None,
    columns: Mapping[str, str] | None = None,
    limit: int | None = None,
    write_to: Path | None = None,
    limits: Limits | None = None,
) -> Report:
    """Reads the whole file once (or its first `limit` rows) and says what is in it.

    `name` is the uploaded file's own name; `format` and `columns` (our field → their column) override
    what would be detected. With `write_to` the canonical rows and their index are written there.
    Raises StudioError, having written nothing, where no row can be used.
    """
    source = _open(path, name, columns or {}, limits or Limits())
    form, shape, why, score = _recognise(source, format)
    normaliser = _Normaliser(form, shape, source.first)
    look = _Look(shape)
    with canonical.writing(write_to) as writer:
        for line, row in itertools.islice(source.lines, limit):
            made = row if isinstance(row, BadRow) else normaliser.make(row)
            if isinstance(made, BadRow):
                look.at_bad(line, made.reason)
            else:
                writer.add(made.line)
                look.at_good(line, made)
        if not writer.rows:
            raise _nothing_usable(form, look.bad)
        sha256 = writer.sha256()

    return Report(
        container=source.container,
        encoding=source.encoding,
        format=form.name,
        format_title=form.title,
        shape=shape.name,
        why=why,
        score=round(score, 4),
        conversational=normaliser.lifts or shape.name == "chat",
        rows=writer.rows,
        bad_rows=look.bad,
        bad_row_count=look.bad_count,
        findings=checks.finish(look.checkers),
        statistics=look.gatherer.finish(),
        columns=source.names,
        mapping=dict(columns or {}),
        preview=look.preview,
        fits=[each.name for each in techniques.all() if shape.name in each.shapes],
        sha256=sha256,
        bytes=writer.bytes,
        complete=limit is None,
    )


def normalise_to(
    path: Path,
    out_path: Path,
    report: Report,
    *,
    name: str | None = None,
    limit: int | None = None,
    limits: Limits | None = None,
) -> Written:
    """Writes the canonical rows of a file that was inspected before, without checking it again."""
    source = _open(path, name, report.mapping, limits or Limits())
    form, shape = formats.FORMATS.get(report.format), shapes.get(report.shape)
    normaliser = _Normaliser(form, shape, source.first)
    with canonical.writing(out_path) as writer:
        for _, row in itertools.islice(source.lines, limit):
            made = row if isinstance(row, BadRow) else normaliser.make(row)
            if not isinstance(made, BadRow):
                writer.add(made.line)
        if not writer.rows:
            raise _nothing_usable(form, [])
        sha256 = writer.sha256()
    return Written(rows=writer.rows, sha256=sha256)


def _open(path: Path, name: str | None, columns: Mapping[str, str], limits: Limits) -> _Source:
    """Opens the file and looks at its first rows. Raises StudioError where it holds no row at all."""
    reader = readers.choose(path, name, limits)
    lines = _prepared(reader.read(path, limits), reader.name in TABLES, columns)
    head: list[Line] = []
    first: list[Row] = []
    size = 0
    for line, row in lines:
        head.append((line, row))
        if not isinstance(row, BadRow):
            first.append(row)
            size += _size(row)
        if len(first) == FIRST_ROWS or size > FIRST_BYTES or len(head) == MOST_LINES_BEFORE:
            break
    if not head:
        raise StudioError("The file holds no rows.", hint="Upload a file with at least one row.")
    found = dict.fromkeys(columns.get(key, key) for row in first for key in row)
    names = [name for name in found if len(name) <= MOST_OF_NAME][:MOST_COLUMNS]
    if first:
        mapping.require(columns, names)
    start = readers.base.first_bytes(path, limits, 64 * 1024)
    encoding = "binary" if reader.name == "parquet" else readers.base.sniff_encoding(start)
    return _Source(reader.name, encoding, first, itertools.chain(head, lines), names)


def _prepared(lines: Iterator[Line], table: bool, columns: Mapping[str, str]) -> Iterator[Line]:
    """Lines with the user's column mapping applied, a table's JSON cells unpacked, and rows left out that
    nobody has filled in."""

    lines = ((line, _filled_in(row) if template.NOTE in row else row) for line, row in lines)
    if not (table or columns):
        return lines

    def prepare(row: Row) -> Row:
        renamed = mapping.rename(row, columns) if columns else row
        return mapping.unpack(renamed) if table else renamed

    return ((line, row if isinstance(row, BadRow) else prepare(row)) for line, row in lines)


def _filled_in(row: Row | BadRow) -> Row | BadRow:
    if isinstance(row, BadRow):
        return row
    reason = template.why_not(row)
    return BadRow(reason) if reason else template.filled_in(row)


class _Made(NamedTuple):
    """A canonical row and the line it is written as."""

    row: Row
    line: bytes


class _Look:
    """What is seen while the rows go by: bad lines, the first good rows, checks and statistics at work."""

    def __init__(self, shape: Shape):
        self._shape = shape
        self.checkers, self.gatherer = checks.start(shape.name), Gatherer(shape)
        self._see_all = [checker.see for checker in self.checkers] + [self.gatherer.see]
        self.bad: list[BadLine] = []
        self.bad_count = 0
        self.preview: list[Row] = []

    def at_bad(self, line: int, reason: str) -> None:
        self.bad_count += 1
        if len(self.bad) < LISTED_BAD_ROWS:
            self.bad.append(BadLine(line=line, reason=reason[:MOST_OF_REASON]))

    def at_good(self, line: int, made: _Made) -> None:
        view = View(line, made.row, self._shape)
        for see in self._see_all:
            see(view)
        if len(self.preview) < PREVIEW_ROWS:
            self.preview.append(shorten(orjson.loads(made.line)))


def _size(row: Row) -> int:
    """About how many bytes the row takes."""

    def weigh(value: Any) -> str:
        return value.decode("latin-1") if isinstance(value, bytes) else str(value)

    try:
        return len(orjson.dumps(row, default=weigh))
    except TypeError:  # nested too deeply, half a surrogate pair: such a row becomes a bad one later
        return 1 << 20


def _recognise(source: _Source, wanted: str | None) -> tuple[Format, Shape, str, float]:
    """The format and shape of these rows: as wanted, else as detected."""
    if wanted:
        form = formats.FORMATS.get(wanted)
        fit = form.detect(source.first)
        shape = shapes.get(fit.shape if fit else form.shapes[0])
        return form, shape, "You chose this format.", fit.score if fit else 0.0
    match = formats.detect(source.first)
    if match:
        return formats.FORMATS.get(match.format), shapes.get(match.shape), match.why, match.score
    if not source.first:
        line, row = next(source.lines)
        reason = row.reason if isinstance(row, BadRow) else ""
        raise StudioError(
            f"No row can be read: line {line} {reason}.", hint="Mend that line first, then upload again."
        )
    raise StudioError(
        f"The rows are in no format we know; their columns are: {', '.join(source.names[:12])}.",
        hint="Say which column is the prompt and which the answer, or choose a format.",
        field="columns",
    )


class _Normaliser:
    """Rows of one format as canonical rows of one form: where the first rows have messages, texts of
    later rows become messages as well; where they have texts, messages are refused."""

    def __init__(self, form: Format, shape: Shape, first: list[Row]):
        self._normalise, self._shape = form.normalise, shape
        self._mixed = shape.name in ("instruction", "preference", "labelled", "rated")
        self.lifts = shape.name == "prompt"
        self._strict = False
        if self._mixed:
            made = [self._try(row) for row in first]
            self.lifts = any(shapes.is_conversational(row) for row in made if row)
            self._strict = not self.lifts

    def _try(self, row: Row) -> Row | None:
        try:
            return self._normalise(dict(row), self._shape.name)
        except RowError:
            return None

    def make(self, row: Row) -> _Made | BadRow:
        """The canonical row and its line, or why there is none."""
        try:
            made = self._normalise(row, self._shape.name)
        except RowError as problem:
            return BadRow(str(problem))
        if self._mixed:
            if self.lifts:
                made = shapes.lift(made)
            elif self._strict and shapes.is_conversational(made):
                return BadRow("has messages where the first rows have plain text")
        try:
            return _Made(made, canonical.encode(made))
        except (TypeError, RecursionError) as problem:
            return BadRow(_unwritable(problem))


def _unwritable(problem: Exception) -> str:
    text = str(problem)
    if "surrogate" in text:
        return "holds half of a surrogate pair, which UTF-8 cannot write"
    if "64-bit" in text:
        return "holds a whole number beyond 64 bits"
    if "recursion" in text.lower():
        return "is nested too deeply"
    cause = problem.__cause__
    return str(cause) if cause else "holds a value that JSON cannot write"


def _nothing_usable(form: Format, bad: list[BadLine]) -> StudioError:
    where = f": line {bad[0].line} {bad[0].reason}" if bad else ""
    return StudioError(
        f"No row can be used as {form.title}{where}.",
        hint="Mend the rows, map the columns, or choose another format.",
        field="format",
        lines=[row.model_dump() for row in bad[:50]],
    )


def shorten(value: Any, depth: int = 0) -> Any:
    """The value with long texts cut, deep nesting left out and binary data named, as JSON can show it."""
    if isinstance(value, dict | list) and depth == MOST_LEVELS:
        return "…"
    if isinstance(value, dict):
        return {str(key)[:MOST_OF_NAME]: shorten(part, depth + 1) for key, part in value.items()}
    if isinstance(value, list):
        return [shorten(part, depth + 1) for part in value]
    if isinstance(value, str):
        return value if len(value) <= MOST_OF_TEXT else f"{value[:MOST_OF_TEXT]}…"
    if isinstance(value, bytes):
        return f"({len(value):,} bytes)"
    return value if isinstance(value, int | float | None) else str(value)
