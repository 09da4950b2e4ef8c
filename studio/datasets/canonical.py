"""Canonical rows on disk: one normalised row a line, and beside it an index of where each begins.

`rows.jsonl` is UTF-8 JSON Lines; `rows.jsonl.idx` holds little-endian uint64 offsets in bytes, one a row
and a last one for the end of the file. Any row is found with one read.
"""

import contextlib
import hashlib
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import orjson

from studio.datasets.shapes import Row
from studio.errors import StudioError

BATCH_BYTES = 1 << 20


def index_path(path: Path) -> Path:
    """Where the index of these rows lies."""
    return path.with_name(f"{path.name}.idx")


def encode(row: Row) -> bytes:
    """The row as its canonical line. Raises TypeError for what JSON or UTF-8 cannot hold."""
    return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE, default=_plain)


def _plain(value: Any) -> Any:
    """Numbers of numpy and the like from Parquet files; bytes and anything else are refused."""
    if hasattr(value, "isoformat"):
        return value.isoformat()
    raise TypeError(f"holds {'binary data' if isinstance(value, bytes) else type(value).__name__}")


class Writer:
    """Takes canonical lines, counts and hashes them; with a path it also writes them and their index.

    Use `writing(path)`, which puts the files in place only when all went well."""

    def __init__(self, stream: BinaryIO | None = None):
        self._stream = stream
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._hash = hashlib.sha256()
        self.offsets = array("Q", [0])
        self.rows = self.bytes = 0

    def add(self, line: bytes) -> None:
        self.rows += 1
        self.bytes += len(line)
        self._held.append(line)
        self._held_bytes += len(line)
        if self._stream is not None:
            self.offsets.append(self.bytes)
        if self._held_bytes >= BATCH_BYTES:
            self.flush()

    def flush(self) -> None:
        data = b"".join(self._held)
        self._held, self._held_bytes = [], 0
        self._hash.update(data)
        if self._stream is not None:
            self._stream.write(data)

    def sha256(self) -> str:
        """Of all lines so far."""
        self.flush()
        return self._hash.hexdigest()


@contextlib.contextmanager
def writing(path: Path | None) -> Iterator[Writer]:
    """A writer whose files appear under their names only if the block ends without an error and holds
    at least one row; with no path nothing is written."""
    if path is None:
        yield Writer()
        return
    part, part_index = path.with_name(f"{path.name}.part"), path.with_name(f"{path.name}.idx.part")
    try:
        with part.open("wb") as stream:
            writer = Writer(stream)
            yield writer
            writer.flush()
        np.frombuffer(writer.offsets, dtype=np.uint64).astype("<u8").tofile(part_index)
        part_index.replace(index_path(path))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
        part_index.unlink(missing_ok=True)


def count(path: Path) -> int:
    """How many rows the index knows."""
    return index_path(path).stat().st_size // 8 - 1


def rows(path: Path, index: Path | None = None, start: int = 0, count: int = 50) -> list[Row]:
    """`count` rows from number `start` (from 0) on; fewer at the end. Reads only those."""
    index = index or index_path(path)
    if not index.is_file():
        raise StudioError("The index of these rows is gone.", hint="Add the dataset again.")
    total = index.stat().st_size // 8 - 1
    start = min(max(start, 0), total)
    count = min(max(count, 0), total - start)
    if not count:
        return []
    offsets = np.fromfile(index, dtype="<u8", count=count + 1, offset=start * 8)
    with path.open("rb") as stream:
        stream.seek(int(offsets[0]))
        data = stream.read(int(offsets[-1] - offsets[0]))
    return [orjson.loads(line) for line in data.splitlines() if line]


def each(path: Path) -> Iterator[Row]:
    """All rows, as a stream."""
    with path.open("rb") as stream:
        for line in stream:
            yield orjson.loads(line)
