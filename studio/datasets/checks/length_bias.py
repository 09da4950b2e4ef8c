"""Chosen answers that are mostly much longer (or shorter) than the rejected: length gets learnt instead.

Known from DPO and reward models, which pick up length as a shortcut (Singhal et al., 2023,
“A Long Way to Go”). The bound of 1.5 between the medians is our own rule of thumb.
"""

from studio.datasets.checks.base import Check, Finding, Tally
from studio.datasets.statistics import Histogram
from studio.datasets.view import View

RATIO = 1.5
ENOUGH_ROWS = 20


class LengthBias:
    def __init__(self) -> None:
        self.chosen, self.rejected = Histogram(), Histogram()
        self.longer, self.shorter = Tally(), Tally()

    def see(self, view: View) -> None:
        lengths = {"chosen": 0, "rejected": 0, "prompt": 0}
        for turn in view.turns:
            lengths[turn.field] += len(turn.text)
        chosen, rejected = lengths["chosen"], lengths["rejected"]
        self.chosen.add(chosen)
        self.rejected.add(rejected)
        if chosen != rejected:
            tally = self.longer if chosen > rejected else self.shorter
            tally.add(view.line, f"chosen {chosen:,} characters, rejected {rejected:,}")

    def finish(self) -> Finding | None:
        chosen, rejected = self.chosen.median(), self.rejected.median()
        if self.chosen.count < ENOUGH_ROWS or not (chosen and rejected):
            return None
        if max(chosen, rejected) < RATIO * min(chosen, rejected):
            return None
        tally, word = (self.longer, "longer") if chosen > rejected else (self.shorter, "shorter")
        return tally.finding(
            "length_bias",
            "warning",
            f"Chosen answers are mostly {word}: {chosen:,} characters against {rejected:,} (medians)",
            "Add pairs of like length, or choose SimPO, which divides by length.",
        )


CHECK = Check("length_bias", "Length bias", ("preference",), LengthBias, order=50)
