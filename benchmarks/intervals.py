"""How often the 95 % intervals of evaluations hold the truth, on simulated answers.

    python -m benchmarks.intervals [--draws 2000]

Shares: Wilson's interval, for true rates from 0.02 to 0.98. Paired differences of yes-or-no scores: Tango's,
for two contestants whose answers to a question go together to some degree; beside it the usual percentile
bootstrap, as a peer. Scores between 0 and 1: the widened bootstrap. Goal: 93 to 97 % on average for each
number of questions; single cells move more, because counts are whole numbers.
"""

import argparse
import math
import statistics
from collections.abc import Callable, Iterator

import numpy as np

from studio.evaluations import intervals
from studio.evaluations.intervals import Interval

QUESTIONS = (30, 50, 100, 200, 500, 1000)
RATES = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95, 0.98)
STARTS = (0.02, 0.1, 0.3, 0.5, 0.8, 0.95)
CHANGES = (-0.05, 0.0, 0.03, 0.1)
TOGETHER = (0.0, 0.5)  # correlation of the two contestants' answers


def holds(found: Interval, truth: float) -> bool:
    return found.low - 1e-12 <= truth <= found.high + 1e-12


def shares(asked: int, draws: int, rng: np.random.Generator) -> Iterator[float]:
    for rate in RATES:
        right, times = np.unique(rng.binomial(asked, rate, draws), return_counts=True)
        held = [holds(intervals.mean([1.0] * hits + [0.0] * (asked - hits)), rate) for hits in right]
        yield float(np.dot(held, times)) / draws


def pairs(
    asked: int, draws: int, rng: np.random.Generator, interval: Callable[[int, int, int], Interval]
) -> Iterator[float]:
    for start in STARTS:
        for change in CHANGES:
            for together in TOGETHER:
                end = start + change
                if not 0.01 < end < 0.99:
                    continue
                both = start * end + together * math.sqrt(start * (1 - start) * end * (1 - end))
                both = min(both, start, end)
                gained, lost = end - both, start - both
                if 1 - both - gained - lost < 0:
                    continue
                drawn = rng.multinomial(asked, [gained, lost, 1 - gained - lost], draws)[:, :2]
                cells, times = np.unique(drawn, axis=0, return_counts=True)
                held = [holds(interval(int(up), int(down), asked), change) for up, down in cells]
                yield float(np.dot(held, times)) / draws


def ours(gained: int, lost: int, asked: int) -> Interval:
    same = asked - gained - lost
    before = [0.0] * gained + [1.0] * lost + [0.0] * same
    return intervals.difference(before, [1.0] * gained + [0.0] * lost + [0.0] * same)


def usual(gained: int, lost: int, asked: int) -> Interval:
    """What a percentile bootstrap of many draws comes to: the normal interval of the mean change."""
    middle = (gained - lost) / asked
    half = intervals.Z * math.sqrt(((gained + lost) / asked - middle**2) / asked)
    return Interval(middle, middle - half, middle + half)


def scores(asked: int, draws: int, rng: np.random.Generator) -> Iterator[float]:
    """Scores with many whole marks and some parts, as field-wise graders give them."""
    for high in (1.0, 4.0):
        truth = high / (high + 2.0)
        drawn = rng.beta(high, 2.0, size=(min(draws, 300), asked))
        yield statistics.fmean(holds(intervals.mean(row), truth) for row in drawn)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--draws", type=int, default=2000)
    draws = parser.parse_args().draws
    print("| questions | shares | paired (ours) | worst cell | paired (usual bootstrap) | worst | scores |")
    print("|---|---|---|---|---|---|---|")
    means: list[list[float]] = []
    for asked in QUESTIONS:
        rng = np.random.default_rng(asked)
        of_shares = list(shares(asked, draws, rng))
        of_pairs, of_usual = list(pairs(asked, draws, rng, ours)), list(pairs(asked, draws, rng, usual))
        of_scores = list(scores(asked, draws, rng))
        means.append([statistics.fmean(each) for each in (of_shares, of_pairs, of_scores)])
        figures = [
            statistics.fmean(of_shares),
            statistics.fmean(of_pairs),
            min(of_pairs),
            statistics.fmean(of_usual),
            min(of_usual),
            statistics.fmean(of_scores),
        ]
        print(f"| {asked:,} | " + " | ".join(f"{100 * each:.1f} %" for each in figures) + " |", flush=True)
    met = all(0.93 <= each <= 0.97 for row in means for each in row)
    print(f"\n93 to 97 % for every number of questions: {'met' if met else 'failed'}")


if __name__ == "__main__":
    main()
