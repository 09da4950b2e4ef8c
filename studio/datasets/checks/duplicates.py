"""Rows that say the same as an earlier row, up to case and white space.

Holds 16 bytes a row: a 64-bit hash and the line. Answers that differ only in label or score are not
duplicates. Two different rows sharing a hash are to be expected once in 10⁷ files of a million rows.
"""

from array import array

import numpy as np

from studio.datasets.checks.base import EXAMPLES, Check, Example, Finding, rows
from studio.datasets.view import View


class Duplicates:
    def __init__(self) -> None:
        self.hashes, self.lines = array("q"), array("Q")

    def see(self, view: View) -> None:
        row = view.row
        key: object = view.folded
        if "label" in row or "score" in row:
            key = key, repr(row.get("label", row.get("score"))), row.get("image")
        elif "tools" in row:
            key = key, repr(row["tools"])
        self.hashes.append(hash(key))
        self.lines.append(view.line)

    def finish(self) -> Finding | None:
        hashes = np.frombuffer(self.hashes, dtype=np.int64)
        order = np.argsort(hashes, kind="stable")
        repeats = np.flatnonzero(hashes[order][1:] == hashes[order][:-1]) + 1
        if not len(repeats):
            return None
        first = np.sort(order[repeats])[:EXAMPLES]
        examples = [
            Example(line=self.lines[place], text=f"says the same as line {self._earlier(hashes, place)}")
            for place in first
        ]
        return Finding(
            name="duplicates",
            severity="warning",
            title=f"{rows(len(repeats), 'repeats', 'repeat')} an earlier row",
            count=len(repeats),
            lines=[example.line for example in examples],
            examples=examples,
            next_step="Keep one of each: repeated rows are learnt by heart and blur the held-out score.",
        )

    def _earlier(self, hashes: np.ndarray, place: int) -> int:
        return self.lines[int(np.argmax(hashes == hashes[place]))]


CHECK = Check("duplicates", "Duplicates", (), Duplicates, order=60)
