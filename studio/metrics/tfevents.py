"""TensorBoard's event files, read and written without TensorBoard: scalars only.

A file is records: length, its checksum, an Event in protocol buffers, its checksum. Checksums are CRC-32C,
rotated and shifted as TensorFlow does. Of an Event: wall_time = 1, step = 2, summary = 5; of a Summary:
value = 1; of a Value: tag = 1, simple_value = 2, tensor = 8; of a tensor: tensor_content = 4, float_val = 5,
double_val = 6.
"""

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
Fields = dict[int, list[Any]]


class Scalar(NamedTuple):
    step: int
    time: float
    key: str
    value: float


def read(path: Path) -> Iterator[Scalar]:
    """The scalars of a file, as far as it is whole: one that is being written ends within a record."""
    with path.open("rb") as file:
        while len(head := file.read(12)) == 12:
            if head[8:] != _checksum(head[:8]):  # or any number would be taken for a length
                raise ValueError("a record's length has the wrong checksum")
            body = file.read(struct.unpack("<Q", head[:8])[0])
            if len(file.read(4)) < 4:
                return
            yield from _scalars(_fields(body))


def _scalars(event: Fields) -> Iterator[Scalar]:
    time, step = _double(event.get(1, [b""])[0]), event.get(2, [0])[0]
    for summary in event.get(5, []):
        for packed in _fields(summary).get(1, []):
            fields = _fields(packed)
            value = _value(fields)
            if value is not None and 1 in fields:
                yield Scalar(step, time, fields[1][0].decode(errors="replace"), value)


def _value(fields: Fields) -> float | None:
    if 2 in fields:
        return float(struct.unpack("<f", fields[2][0])[0])
    if 8 not in fields:
        return None
    tensor = _fields(fields[8][0])
    for number, kind, size in ((5, "<f", 4), (6, "<d", 8), (4, "<f", 4)):
        packed = tensor.get(number, [b""])[0]
        if len(packed) == size:  # one number: a histogram or a picture has more
            return float(struct.unpack(kind, packed)[0])
    return None


def _double(packed: bytes) -> float:
    return float(struct.unpack("<d", packed)[0]) if packed else 0.0


def _fields(packed: bytes) -> Fields:
    """What a message holds, by field number; nested messages stay bytes."""
    found: Fields = {}
    at = 0
    while at < len(packed):
        tag, at = _varint(packed, at)
        kind = tag & 7
        value: Any
        if kind == VARINT:
            value, at = _varint(packed, at)
        else:
            size, at = _varint(packed, at) if kind == BYTES else ({FIXED64: 8, FIXED32: 4}[kind], at)
            value, at = packed[at : at + size], at + size
        found.setdefault(tag >> 3, []).append(value)
    return found


def _varint(packed: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = packed[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


# ---- writing --------------------------------------------------------------------------------------------


def begin(file: IO[bytes], time: float) -> None:
    _record(file, _fixed(1, struct.pack("<d", time)) + _bytes(3, b"brain.Event:2"))


def write(file: IO[bytes], step: int, time: float, values: Mapping[str, float]) -> None:
    """One moment with all its values."""
    summary = b"".join(
        _bytes(1, _bytes(1, key.encode()) + bytes([2 << 3 | FIXED32]) + struct.pack("<f", value))
        for key, value in values.items()
    )
    _record(file, _fixed(1, struct.pack("<d", time)) + bytes([2 << 3]) + _packed(step) + _bytes(5, summary))


def _record(file: IO[bytes], body: bytes) -> None:
    head = struct.pack("<Q", len(body))
    file.write(head + _checksum(head) + body + _checksum(body))


def _fixed(number: int, packed: bytes) -> bytes:
    return bytes([number << 3 | FIXED64]) + packed


def _bytes(number: int, packed: bytes) -> bytes:
    return bytes([number << 3 | BYTES]) + _packed(len(packed)) + packed


def _packed(value: int) -> bytes:
    value &= 2**64 - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)  # Castagnoli's polynomial, reversed
        table.append(byte)
    return table


_TABLE = _table()


def _checksum(body: bytes) -> bytes:
    crc = 2**32 - 1
    for byte in body:
        crc = _TABLE[(crc ^ byte) & 255] ^ crc >> 8
    crc ^= 2**32 - 1
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 2**32 - 1)
