"""How much of each kind of work a classifier over frozen features does, in steps. Only arithmetic."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

Item = TypeVar("Item")

LEAST_STEPS = 3  # one of each kind
POOLINGS = ("last", "mean")


@dataclass(frozen=True)
class Plan:
    """`rows` are read in `reading` steps, places and penalties compared in `choosing`, the head fitted in
    `passes`."""

    rows: int
    reading: int
    choosing: int
    passes: int

    @classmethod
    def of(cls, *, rows: int, batch: int, candidates: int, passes: float, most: int) -> "Plan":
        """A step a batch, a candidate, a pass. With a positive `most` it is exactly that many steps, three
        or more: about half of them read (and so, perhaps, not all rows), a quarter chooses, the rest fits."""
        reading, choosing, fitting = math.ceil(rows / batch), candidates, max(1, round(passes))
        if most > 0:
            most = max(most, LEAST_STEPS)
            reading = min(reading, max(1, most // 2))
            choosing = min(choosing, max(1, most // 4))
            fitting = most - reading - choosing
        return cls(min(rows, reading * batch), reading, choosing, fitting)

    @property
    def steps(self) -> int:
        return self.reading + self.choosing + self.passes

    def deal(self, candidates: Sequence[Item]) -> list[list[Item]]:
        """All candidates, in order, over the steps that choose; each step gets one or more."""
        count = len(candidates)
        cuts = [count * step // self.choosing for step in range(self.choosing + 1)]
        return [list(candidates[start:end]) for start, end in itertools.pairwise(cuts)]


def places_to_read(layer: str, pooling: str, count: int) -> tuple[tuple[int, str], ...]:
    """Hidden states (0 are the embeddings, `count` the last layer's) and how each is pooled. "best" means all
    that are to be compared: each quarter of the layers, the last token and the mean."""
    quarters = {max(1, round(count * part / 4)) for part in (1, 2, 3, 4)}
    layers = {"last": [count], "middle": [max(1, count // 2)], "best": sorted(quarters)}[layer]
    return tuple((number, how) for number in layers for how in POOLINGS if pooling in (how, "best"))
