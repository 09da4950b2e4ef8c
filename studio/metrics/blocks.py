"""Moments of a run packed in arrays: a block, its columns, and the outline of each.

Here is how numbers become bytes and bytes numbers; what is packed when is decided in `writing`.
"""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studio.logged import NAMES
from studio.metrics.thinning import Floats, Places, extremes, with_sharpest

OUTLINE = 64  # moments that become two points of an outline
SHARP = 256  # moments for which it has one more, that stands out


@dataclass
class Moments:
    """When each row of a block was logged."""

    seqs: Places
    steps: Places
    times: Floats

    def __len__(self) -> int:
        return len(self.seqs)

    def take(self, which: NDArray[Any]) -> "Moments":
        return Moments(self.seqs[which], self.steps[which], self.times[which])


@dataclass
class Column:
    """The values of one metric, and at which moments of its block they were logged."""

    places: Places
    numbers: Floats


@dataclass
class Line:
    """Points of one metric, ready to draw or to thin."""

    steps: Places
    times: Floats
    values: Floats

    def __len__(self) -> int:
        return len(self.steps)

    def take(self, which: NDArray[Any]) -> "Line":
        return Line(self.steps[which], self.times[which], self.values[which])


@dataclass
class Block:
    moments: Moments
    columns: dict[str, Column]

    def line(self, key: str) -> Line:
        return line_of(self.moments, self.columns[key])


def line_of(moments: Moments, column: Column) -> Line:
    if len(column.places) == len(moments):
        return Line(moments.steps, moments.times, column.numbers)
    return Line(moments.steps[column.places], moments.times[column.places], column.numbers)


def of_rows(rows: Sequence[Mapping[str, Any]], keys: Container[str] = ()) -> Block:
    """A block of rows `{"seq", "step", "time", "data"}`; of these metrics only, or of all."""
    moments = Moments(
        np.array([row["seq"] for row in rows], dtype=np.int64),
        np.array([row["step"] for row in rows], dtype=np.int64),
        np.array([row["time"] for row in rows], dtype=np.float64),
    )
    found: dict[str, tuple[list[int], list[float]]] = {}
    for place, row in enumerate(rows):
        for key, value in row["data"].items():
            if keys and key not in keys:
                continue
            places, numbers = found.setdefault(key, ([], []))
            places.append(place)
            numbers.append(float(value))
    columns = {
        key: Column(np.array(places, dtype=np.int64), np.array(numbers, dtype=np.float64))
        for key, (places, numbers) in found.items()
    }
    return Block(moments, columns)


def rows_of(block: Block) -> Iterator[dict[str, Any]]:
    """What `of_rows` was given, with every value as a float."""
    data: list[dict[str, Any]] = [{} for _ in range(len(block.moments))]
    for key, column in block.columns.items():
        for place, number in zip(column.places.tolist(), column.numbers.tolist(), strict=True):
            data[place][key] = NAMES.get(str(number), number)
    moments = block.moments
    whole = zip(moments.seqs.tolist(), moments.steps.tolist(), moments.times.tolist(), data, strict=True)
    for seq, step, time, values in whole:
        yield {"seq": seq, "step": step, "time": time, "data": values}


def joined(blocks: Sequence[Block]) -> Block:
    """Blocks that follow one another as one."""
    moments = Moments(
        np.concatenate([block.moments.seqs for block in blocks]),
        np.concatenate([block.moments.steps for block in blocks]),
        np.concatenate([block.moments.times for block in blocks]),
    )
    begins = np.cumsum([0, *(len(block.moments) for block in blocks)])
    columns = {}
    for key in dict.fromkeys(key for block in blocks for key in block.columns):
        having = [
            (at, block.columns[key])
            for at, block in zip(begins, blocks, strict=False)
            if key in block.columns
        ]
        places = np.concatenate([column.places + at for at, column in having])
        columns[key] = Column(places, np.concatenate([column.numbers for _, column in having]))
    return Block(moments, columns)


def cut(block: Block, kept: NDArray[np.bool_]) -> Block:
    """Only the moments that are `kept`."""
    new_places = np.cumsum(kept) - 1
    columns = {}
    for key, column in block.columns.items():
        mine = kept[column.places]
        if mine.any():
            columns[key] = Column(new_places[column.places[mine]], column.numbers[mine])
    return Block(block.moments.take(kept), columns)


def joined_lines(lines: Sequence[Line]) -> Line:
    if len(lines) == 1:
        return lines[0]
    return Line(
        np.concatenate([line.steps for line in lines]),
        np.concatenate([line.times for line in lines]),
        np.concatenate([line.values for line in lines]),
    )


def outline(line: Line, moments: int) -> Line:
    """The line in about two points for every OUTLINE of the block's moments, and its ends. Of two spikes that
    leaves one: what stands out most is added. A metric that is logged less often than others
    keeps more of its points, up to all."""
    most = 2 * -(-moments // OUTLINE)
    if len(line) <= most:
        return line
    inner = extremes(line.values[1:-1], -(-2 * len(line) // most)) + 1
    kept = np.concatenate(([0], inner, [len(line) - 1]))
    return line.take(with_sharpest(line.values, kept, -(-moments // SHARP)))


# ---- bytes ------------------------------------------------------------------------------------------


def pack_moments(moments: Moments) -> bytes:
    return _bytes(moments.seqs, "<i8") + _bytes(moments.steps, "<i8") + _bytes(moments.times, "<f8")


def unpack_moments(packed: bytes) -> Moments:
    size = len(packed) // 24
    return Moments(
        np.frombuffer(packed, "<i8", size),
        np.frombuffer(packed, "<i8", size, 8 * size),
        np.frombuffer(packed, "<f8", size, 16 * size),
    )


def pack_line(line: Line) -> bytes:
    return _bytes(line.steps, "<i8") + _bytes(line.times, "<f8") + _bytes(line.values, "<f8")


def unpack_line(packed: bytes) -> Line:
    size = len(packed) // 24
    return Line(
        np.frombuffer(packed, "<i8", size),
        np.frombuffer(packed, "<f8", size, 8 * size),
        np.frombuffer(packed, "<f8", size, 16 * size),
    )


def pack_column(column: Column, moments: int) -> tuple[bytes, bytes]:
    """Its places, nothing where it was logged at all moments, and its numbers."""
    places = b"" if len(column.places) == moments else _bytes(column.places, "<u4")
    return places, _bytes(column.numbers, "<f8")


def unpack_column(places: bytes, numbers: bytes) -> Column:
    found = np.frombuffer(numbers, "<f8")
    at = np.frombuffer(places, "<u4").astype(np.int64) if places else np.arange(len(found))
    return Column(at, found)


def _bytes(numbers: NDArray[Any], kind: str) -> bytes:
    return numbers.astype(kind, copy=False).tobytes()
