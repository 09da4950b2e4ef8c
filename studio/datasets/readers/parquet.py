"""Parquet: read in small batches; rows are counted from 1, as a Parquet file has no lines."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq

from studio.datasets.readers.base import (
    DAMAGED_GZIP,
    GZIP_MAGIC,
    MEGABYTE,
    BadRow,
    Limits,
    Line,
    Reader,
    open_bytes,
)
from studio.errors import StudioError

MAGIC = b"PAR1"
BATCH_ROWS = 256


def read(path: Path, limits: Limits) -> Iterator[Line]:
    """Rows as Python values. Raises StudioError where the file's footer cannot be read."""
    with _plain(path, limits) as plain:
        try:
            table = pq.ParquetFile(plain, pre_buffer=False)
        except (pa.ArrowException, OSError):
            raise StudioError(
                "The Parquet file cannot be opened: it is damaged or not complete.",
                hint="Export it again, or save the rows as JSONL.",
            ) from None
        with table:
            _refuse_bombs(table, limits)
            yield from _rows(table)


@contextlib.contextmanager
def _plain(path: Path, limits: Limits) -> Iterator[Path]:
    """Parquet is read from its end, so a gzipped one is first unpacked into a temporary file."""
    with path.open("rb") as raw:
        packed = raw.read(2) == GZIP_MAGIC
    if not packed:
        yield path
        return
    with tempfile.NamedTemporaryFile(suffix=".parquet") as unpacked, open_bytes(path, limits) as stream:
        try:
            shutil.copyfileobj(stream, unpacked, MEGABYTE)
        except DAMAGED_GZIP:
            raise StudioError(
                "The compressed file is damaged or cut off.", hint="Upload it again, or uncompressed."
            ) from None
        unpacked.flush()
        yield Path(unpacked.name)


def _refuse_bombs(table: pq.ParquetFile, limits: Limits) -> None:
    groups = (table.metadata.row_group(number) for number in range(table.metadata.num_row_groups))
    if sum(group.total_byte_size for group in groups) > limits.unpacked:
        raise StudioError(
            f"The file unpacks to more than {limits.unpacked // MEGABYTE:,} MB.",
            hint="Split it into smaller files.",
        )


def _rows(table: pq.ParquetFile) -> Iterator[Line]:
    number = 0
    try:
        for batch in table.iter_batches(batch_size=BATCH_ROWS, use_threads=False):
            for place in range(batch.num_rows):
                number += 1
                yield number, _row(batch, place)
    except (pa.ArrowException, OSError) as problem:
        reason = str(problem).splitlines()[0][:160]
        yield number + 1, BadRow(f"cannot be read ({reason}); the rest of the file was not read")


def _row(batch: pa.RecordBatch, place: int) -> dict[str, Any] | BadRow:
    try:
        (row,) = batch.slice(place, 1).to_pylist()
    except UnicodeDecodeError:
        return BadRow("holds text that is not UTF-8")
    except (pa.ArrowException, ValueError, OverflowError) as problem:
        return BadRow(f"holds a value that cannot be read: {str(problem).splitlines()[0][:160]}")
    return {name: _value(value) for name, value in row.items() if value is not None}


def _value(value: Any) -> Any:
    """Parquet fills absent struct fields with null, which JSON sources simply leave out."""
    if isinstance(value, dict):
        return {name: _value(part) for name, part in value.items() if part is not None}
    if isinstance(value, list):
        return [_value(part) for part in value]
    if isinstance(value, Decimal):
        return float(value)
    return cast(Any, value)


READER = Reader(
    "parquet", "Parquet", (".parquet", ".pq"), read, lambda start: start.startswith(MAGIC), order=0
)
