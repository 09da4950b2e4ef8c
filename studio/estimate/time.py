"""How long a run will take: an interval, from the runs that this studio has finished.

A run's steps take its operations (`work`) divided by a rate, which is learned from past runs on that device;
loading and saving around them take what they took. Both are log-normal, so that errors are factors. With few
runs, Student's distribution and a spread that is assumed beforehand keep the interval honest. Runs of another
technique, or of a model of another size, tell less: by how much is assumed, too. Without any run on that
device there is no estimate.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from studio.estimate.work import Job, operations
from studio.evaluations.intervals import Z, student

# Assumed before any run was seen, as standard deviations of logarithms. The first is outweighed by measured
# runs: it counts as much as so many of them.
USUAL, COUNTS_AS = 0.25, 3  # between runs of one technique
KINDRED, FOREIGN = 0.5, 1.0  # beside it: between techniques that both write answers or both do not; any two
OTHER_SIZE = 0.15  # beside it: for each factor of e between the models' numbers of weights
LEAST_AROUND = 0.5  # seconds


@dataclass(frozen=True)
class Past:
    """A finished run: its job, what of it was done, on which device, and the seconds of its steps and those
    around them."""

    job: Job
    done: float
    device: str
    stepping: float
    around: float


@dataclass(frozen=True)
class Span:
    """Seconds, with the ends of the 95 % interval; from how many `runs`, and how much they are alike: `same`
    technique, `kindred` ones, or `foreign` ones."""

    low: float
    middle: float
    high: float
    runs: int
    alike: str

    @property
    def range(self) -> str:
        return between(self.low, self.high)

    @property
    def source(self) -> str:
        of = {"same": "", "kindred": " of techniques like it", "foreign": " of other techniques"}[self.alike]
        return f"from {self.runs} run{'s' if self.runs > 1 else ''}{of} here"

    @property
    def sentence(self) -> str:
        """“8–14 min, from 5 runs here”."""
        return f"{self.range}, {self.source}"


def predict(job: Job, device: str, past: Sequence[Past]) -> Span | None:
    """How long a job will take on a device; None where no run was finished there."""
    there = [each for each in past if each.device == device]
    for alike, beside, chosen in (
        ("same", 0.0, [each for each in there if each.job.technique.name == job.technique.name]),
        ("kindred", KINDRED, [each for each in there if each.job.writes == job.writes]),
        ("foreign", FOREIGN, there),
    ):
        if chosen:
            return _span(job, chosen, beside, alike)
    return None


def _span(job: Job, past: list[Past], beside: float, alike: str) -> Span:
    pace = [math.log(each.stepping / (each.done * operations(each.job))) for each in past]
    sizes = [abs(math.log(job.parameters / each.job.parameters)) for each in past]
    stepping = _reach(pace, math.hypot(beside, OTHER_SIZE * min(sizes)), operations(job))
    around = _reach([math.log(max(each.around, LEAST_AROUND)) for each in past], beside, 1.0)
    middle = stepping[1] + around[1]
    # The interval of a sum from those of its parts: its distances are theirs, added as squares.
    under = math.hypot(stepping[1] - stepping[0], around[1] - around[0])
    over = math.hypot(stepping[2] - stepping[1], around[2] - around[1])
    return Span(middle - under, middle, middle + over, len(past), alike)


def _reach(logs: Sequence[float], beside: float, scale: float) -> tuple[float, float, float]:
    """Where the next of these logarithms will lie, as a factor of `scale`: low, middle, high."""
    count = len(logs)
    centre = sum(logs) / count
    freedom = COUNTS_AS + count - 1
    squares = COUNTS_AS * USUAL**2 + sum((each - centre) ** 2 for each in logs)
    half = student(freedom) * math.sqrt(squares / freedom * (1 + 1 / count))
    half = math.hypot(half, Z * beside)
    return scale * math.exp(centre - half), scale * math.exp(centre), scale * math.exp(centre + half)


# ---- in words -----------------------------------------------------------------------------------------

UNITS = (("s", 1, 100), ("min", 60, 100 * 60), ("h", 3600, 72 * 3600), ("d", 86400, math.inf))


def between(low: float, high: float) -> str:
    """`8–14 min`, `40 s to 3 min`; the ends are rounded outwards, to about two digits."""
    (first, of_first), (last, of_last) = _rounded(low, up=False), _rounded(high, up=True)
    if first == "0":
        return f"up to {last} {of_last}"
    if of_first == of_last:
        return f"{first}–{last} {of_last}"
    return f"{first} {of_first} to {last} {of_last}"


def _rounded(seconds: float, *, up: bool) -> tuple[str, str]:
    unit, size, _ = next(each for each in UNITS if seconds < each[2])
    amount = seconds / size
    grain = 0.1 if size >= 3600 and amount < 10 else 1 if amount < 20 else 5
    count = math.ceil(amount / grain) if up else math.floor(amount / grain)
    return f"{count * grain:g}", unit
