"""Splitting canonical rows into a training and a held-out part, and finding rows that two parts share.

Rows with the same input (prompt, query, text, or the conversation up to its last answer) always land on
the same side, so a held-out score is never read from a question that was trained on.
"""

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import BaseModel

from studio.datasets import canonical
from studio.datasets.shapes import Row
from studio.errors import StudioError


class Part(NamedTuple):
    """One side: its number of rows and the SHA-256 of its file."""

    rows: int
    sha256: str


class Split(BaseModel):
    """What `split` wrote."""

    train: Part
    held_out: Part
    share: float
    seed: int


def split(path: Path, train_path: Path, held_out_path: Path, *, share: float = 0.1, seed: int = 0) -> Split:
    """Writes about `share` of the rows to `held_out_path`, the others to `train_path`, in their order.

    The inputs with the smallest hashes (BLAKE2b of seed and input) are held out until the share is
    reached: the same rows and seed always give the same parts. Holds 8 bytes a row.
    Raises StudioError where one side would be empty.
    """
    if not 0 < share < 1:
        raise StudioError("The held-out share must lie between 0 and 1.", hint="0.1 is usual.", field="share")
    keys = np.fromiter((hash_input(row, seed) for row in canonical.each(path)), dtype=np.uint64)
    bound = _bound(keys, share)
    with canonical.writing(train_path) as train, canonical.writing(held_out_path) as held_out:
        with path.open("rb") as lines:
            for line, key in zip(lines, keys, strict=True):
                (held_out if key <= bound else train).add(line)
        return Split(
            train=Part(train.rows, train.sha256()),
            held_out=Part(held_out.rows, held_out.sha256()),
            share=held_out.rows / len(keys),
            seed=seed,
        )


def _bound(keys: np.ndarray, share: float) -> int:
    """The largest hash that is held out."""
    different, counts = np.unique(keys, return_counts=True)
    if len(different) < 2:
        raise StudioError(
            "All rows have the same input, so they cannot be divided.", hint="Add rows with other inputs."
        )
    reached = np.cumsum(counts)
    place = int(np.argmin(np.abs(reached[:-1] - share * len(keys))))
    return int(different[place])


def hash_input(row: Row, seed: int = 0) -> int:
    """64 bits of the row's input, up to case and white space."""
    text = " ".join(_input(row).lower().split())
    return int.from_bytes(hashlib.blake2b(f"{seed}\0{text}".encode(), digest_size=8).digest(), "little")


def _input(row: Row) -> str:
    for field in ("prompt", "query", "text"):
        if row.get(field):
            return _said(row[field])
    if "messages" in row:
        messages = row["messages"]
        last = messages[-1]["role"] == "assistant"
        return _said(messages[:-1] if last and len(messages) > 1 else messages)
    return str(row.get("image", ""))


def _said(side: Any) -> str:
    if isinstance(side, str):
        return side
    return "\n".join(f"{message['role']}: {message['content']}" for message in side)


class Overlap(BaseModel):
    """How many rows of the second file have an input of the first, and the first three (from 1)."""

    count: int
    rows: list[int]


def overlap(train_path: Path, held_out_path: Path) -> Overlap:
    """Rows of a held-out file whose input also stands in the training file."""
    known = {hash_input(row) for row in canonical.each(train_path)}
    shared = [n for n, row in enumerate(canonical.each(held_out_path), 1) if hash_input(row) in known]
    return Overlap(count=len(shared), rows=shared[:3])
