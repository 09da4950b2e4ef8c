"""Rows that are almost the same as another: at least about nine tenths of their 8-byte pieces are shared.

MinHash (Broder, 1997) with 32 hashes, compared within 8 bands of 4, over the first 20,000 rows and the
first 4,000 characters of each: an estimate (±5 points at 0.9), bounded in time and memory.
"""

import numpy as np

from studio.datasets.checks.base import Check, Finding, Tally
from studio.datasets.view import View

ROWS, CHARACTERS, SHORTEST = 20_000, 4_000, 64
BANDS, PER_BAND = 8, 4
ALIKE = 0.9
PIECE = 8
_FACTORS = np.random.default_rng(7).integers(
    1, 2**63, size=(BANDS * PER_BAND, 1), dtype=np.uint64
) | np.uint64(1)
_MIX = np.uint64(0x9E3779B97F4A7C15)


class NearDuplicates:
    def __init__(self) -> None:
        self.tally = Tally()
        self.seen = 0
        self.bands: dict[bytes, tuple[int, np.ndarray]] = {}
        self.texts: set[int] = set()

    def see(self, view: View) -> None:
        if self.seen >= ROWS:
            return
        self.seen += 1
        folded = hash(view.folded)
        if len(view.folded) < SHORTEST or folded in self.texts:  # exact repeats are another finding
            return
        self.texts.add(folded)
        signature = sign(view.folded[:CHARACTERS])
        twin = None
        for band in range(BANDS):
            part = signature[band * PER_BAND : (band + 1) * PER_BAND]
            key = bytes((band,)) + part.tobytes()
            line, other = self.bands.setdefault(key, (view.line, signature))
            if twin is None and other is not signature and float((other == signature).mean()) >= ALIKE:
                twin = line
        if twin is not None:
            self.tally.add(view.line, f"is almost the same as line {twin}")

    def finish(self) -> Finding | None:
        count = self.tally.count
        among = f" among the first {ROWS:,}" if self.seen >= ROWS else ""
        return self.tally.finding(
            "near_duplicates",
            "info",
            f"{count:,} {'row is' if count == 1 else 'rows are'}{among} almost the same as another",
            "Look at the examples: many variants of one row add little, and must not straddle a split.",
        )


def sign(text: str) -> np.ndarray:
    """32 MinHash values of the text's overlapping 8-byte pieces; shape (32,), uint32."""
    data = text.encode()
    pieces = np.ndarray((len(data) - PIECE + 1,), dtype="<u8", buffer=data, strides=(1,))
    if len(pieces) > 512:  # keep the same quarter of the pieces in every text
        mixed = pieces * _MIX
        kept = pieces[(mixed >> np.uint64(62)) == 0]
        pieces = kept if len(kept) >= SHORTEST else pieces
    hashes = ((pieces ^ (pieces >> np.uint64(29))) * _FACTORS) >> np.uint64(32)
    return hashes.min(axis=1).astype(np.uint32)


CHECK = Check("near_duplicates", "Near duplicates", (), NearDuplicates, order=70)
