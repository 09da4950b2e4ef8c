"""What every reader shares: the limits, a bad row, opening a file that may be gzipped, and encodings.

A reader never raises for a bad row: it yields a `BadRow`. It raises StudioError only where the
whole file cannot be read.
"""

import codecs
import contextlib
import io
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import charset_normalizer

from studio.errors import StudioError

MEGABYTE = 1 << 20
SNIFF_BYTES = 256 * 1024
GZIP_MAGIC = b"\x1f\x8b"
# What reading a damaged gzip stream raises: cut off, wrong checksum, broken block.
DAMAGED_GZIP = (EOFError, zlib.error)


class BadRow(NamedTuple):
    """A row that cannot be used, with the reason in plain words."""

    reason: str


@dataclass(frozen=True)
class Limits:
    """Bounds on what one file may make us hold. All in bytes.

    `row` is the longest row (64 MB: far above any context length); `unpacked` is how much a
    compressed file may grow to (100 GB), so that a small file cannot fill the disk or run for ever.
    """

    row: int = 64 * MEGABYTE
    unpacked: int = 100 * 1024 * MEGABYTE


Line = tuple[int, dict[str, Any] | BadRow]


@dataclass(frozen=True)
class Reader:
    """One container. `read(path, limits)` yields (line number from 1, row or BadRow) as a stream;
    `accepts(start)` looks at the first bytes (unpacked) for files whose name says nothing or lies;
    `loose` readers accept nearly anything, so their yes outweighs no file name."""

    name: str
    title: str
    suffixes: tuple[str, ...]
    read: Callable[[Path, Limits], Iterator[Line]]
    accepts: Callable[[bytes], bool]
    loose: bool = False
    order: int = 100


class _Stream(io.RawIOBase):
    """A binary stream over a function that gives at most n bytes, refusing more than `limit` in all."""

    def __init__(self, take: Callable[[int], bytes], limit: int):
        self._take, self._left, self._limit = take, limit, limit

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._take(len(buffer))
        self._left -= len(data)
        if self._left < 0:
            raise StudioError(
                f"The file unpacks to more than {self._limit // MEGABYTE:,} MB.",
                hint="Split it into smaller files, or upload it uncompressed.",
            )
        buffer[: len(data)] = data
        return len(data)


class _Gunzip:
    """Unpacks gzip step by step. (gzip.GzipFile loses what it had already unpacked when the file is cut
    off; this gives it first and raises EOFError after.)"""

    def __init__(self, packed: BinaryIO):
        self._packed, self._input = packed, b""
        self._unpacker = self._fresh()

    @staticmethod
    def _fresh() -> "zlib._Decompress":
        return zlib.decompressobj(wbits=31)  # 16 + 15: the gzip wrapper, its checksum verified

    def take(self, size: int) -> bytes:
        while True:
            if not self._input:
                self._input = self._packed.read(64 * 1024)
            if self._unpacker.eof:
                self._input = self._input.lstrip(b"\0")  # padding between or after members
                if not self._input:
                    return b""
                self._unpacker = self._fresh()
            elif not self._input:
                raise EOFError
            data = self._unpacker.decompress(self._input, size)
            self._input = self._unpacker.unused_data or self._unpacker.unconsumed_tail
            if data:
                return data


@contextlib.contextmanager
def open_bytes(path: Path, limits: Limits) -> Iterator[BinaryIO]:
    """The file's bytes, unpacked where they are gzip (told by content, not by name)."""
    with path.open("rb") as raw:
        if raw.read(2) != GZIP_MAGIC:
            raw.seek(0)
            yield raw
            return
        raw.seek(0)
        yield _buffered(_Gunzip(raw).take, limits)


def _buffered(take: Callable[[int], bytes], limits: Limits) -> BinaryIO:
    return io.BufferedReader(_Stream(take, limits.unpacked), 128 * 1024)


def first_bytes(path: Path, limits: Limits, size: int = SNIFF_BYTES) -> bytes:
    """Up to `size` bytes from the start, unpacked. A damaged gzip file gives what could be read."""
    start = bytearray()
    with open_bytes(path, limits) as stream, contextlib.suppress(*DAMAGED_GZIP):
        while len(start) < size and (piece := stream.read(min(16 * 1024, size - len(start)))):
            start += piece
    return bytes(start)


def sniff_encoding(start: bytes) -> str:
    """The text encoding that these first bytes suggest; UTF-8 wherever it fits."""
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF32_LE, "utf-32"),
        (codecs.BOM_UTF32_BE, "utf-32"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if start.startswith(mark):
            return encoding
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return _guess_encoding(start)
    return "utf-8"


def _guess_encoding(start: bytes) -> str:
    """Windows-1252 is what spreadsheets write in the West: it wins unless its letters look wrong."""
    try:
        western = start.decode("cp1252")
    except UnicodeDecodeError:
        western = ""
    strange = [letter for letter in western if ord(letter) > 127]
    if western and sum(letter.isalpha() for letter in strange) >= 0.8 * len(strange):
        best = charset_normalizer.from_bytes(
            start[:65536], cp_isolation=["cp1252", "cp1251", "cp932", "gb18030"]
        ).best()
        return best.encoding if best else "cp1252"
    best = charset_normalizer.from_bytes(start[:65536]).best()
    return best.encoding if best else "latin-1"


@contextlib.contextmanager
def open_text(path: Path, limits: Limits) -> Iterator[io.TextIOWrapper]:
    """The file as text in its sniffed encoding; line ends are left alone, what does not decode
    becomes U+FFFD (a check reports it)."""
    encoding = sniff_encoding(first_bytes(path, limits))
    with open_bytes(path, limits) as stream:
        text = io.TextIOWrapper(stream, encoding=encoding, errors="replace", newline="")
        try:
            yield text
        finally:
            text.detach()


@contextlib.contextmanager
def open_utf8(path: Path, limits: Limits) -> Iterator[BinaryIO]:
    """The file's bytes as UTF-8: UTF-16 and UTF-32 files with a byte-order mark are recoded."""
    encoding = sniff_encoding(first_bytes(path, limits, 4))
    with open_bytes(path, limits) as stream:
        if encoding in ("utf-16", "utf-32"):
            recoded = codecs.EncodedFile(stream, "utf-8", encoding, errors="replace")
            yield _buffered(recoded.read, limits)
        else:
            yield stream


def as_row(value: Any) -> dict[str, Any] | BadRow:
    """A JSON value as a row: only objects are rows."""
    if isinstance(value, dict | BadRow):
        return value
    kind = {list: "a list", str: "a piece of text", bool: "true or false", type(None): "null"}
    return BadRow(f"is {kind.get(type(value), 'a number')}, not an object with named fields")
