"""Rows that are almost the same as another: at least about nine tenths of their 8-byte pieces are shared.

MinHash (Broder, 1997) with 30 hashes, compared within 5 bands of 6, over the first 20,000 rows and the
first 4,000 characters of each: an estimate (±5 points at 0.9), bounded in time and memory.
"""

import numpy as np

from studio.datasets.checks.base import Check, Finding, Tally
from studio.datasets.view import View

ROWS, CHARACTERS, SHORTEST = 20_000, 4_000, 64
BANDS, PER_BAND = 5, 6
ALIKE = 0.9
PIECE = 8
_FACTORS = np.random.default_rng(7).integers(
    1, 2**63, size=(BANDS * PER_BAND, 1), dtype=np.uint64
) | np.uint64(1)
_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2⁶⁴ divided by the golden ratio, odd
_EIGHTH = np.uint64(2**61)


class NearDuplicates:
    def __init__(self) -> None:
        self.tally = Tally()
        self.seen = 0
        self.texts: set[int] = set()
        self.lines: list[int] = []
        self.signatures: list[bytes] = []
        self.bands: list[dict[bytes, int]] = [{} for _ in range(BANDS)]  # part of a signature → first row

    def see(self, view: View) -> None:
        if self.seen >= ROWS:
            return
        self.seen += 1
        text = hash(view.folded)
        if len(view.folded) < SHORTEST or text in self.texts:  # exact repeats are another finding
            return
        self.texts.add(text)
        here, signature = len(self.lines), sign(view.folded[:CHARACTERS])
        self.lines.append(view.line)
        self.signatures.append(signature)
        met = {
            band.setdefault(signature[start : start + PER_BAND * 4], here)
            for band, start in zip(self.bands, range(0, len(signature), PER_BAND * 4), strict=True)
        }
        twin = next((row for row in sorted(met) if row != here and self._alike(row, here)), None)
        if twin is not None:
            self.tally.add(view.line, f"is almost the same as line {self.lines[twin]}")

    def _alike(self, one: int, other: int) -> bool:
        first, second = (np.frombuffer(self.signatures[row], dtype=np.uint32) for row in (one, other))
        return int(np.count_nonzero(first == second)) >= ALIKE * len(first)

    def finish(self) -> Finding | None:
        count = self.tally.count
        among = f" among the first {ROWS:,}" if self.seen >= ROWS else ""
        return self.tally.finding(
            "near_duplicates",
            "info",
            f"{count:,} {'row is' if count == 1 else 'rows are'}{among} almost the same as another",
            "Look at the examples: many variants of one row add little, and must not straddle a split.",
        )


def sign(data: bytes) -> bytes:
    """30 MinHash values of the text's overlapping 8-byte pieces, as uint32."""
    pieces = np.ndarray((len(data) - PIECE + 1,), dtype="<u8", buffer=data, strides=(1,))
    mixed = pieces * _MIX
    mixed ^= mixed >> np.uint64(29)
    if len(mixed) > 1024:  # keep the same eighth of the pieces in every text
        kept = mixed[mixed < _EIGHTH]
        mixed = kept if len(kept) >= SHORTEST else mixed
    return ((mixed * _FACTORS).min(axis=1) >> np.uint64(32)).astype(np.uint32).tobytes()


CHECK = Check("near_duplicates", "Near duplicates", (), NearDuplicates, order=70)
