"""What a rule of the doctor is, what it is shown of a run, and what it says."""

import itertools
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from studio import graders
from studio.techniques import Healthy, MetricInfo, Technique
from studio.thresholds import Threshold

Limits = Mapping[str, float]
Severity = Literal["error", "warning"]

ENOUGH = 8  # points, below which a curve says nothing yet
LAST = 0.2  # share of a curve that is its end
FEWEST = 3  # points of its end, and all of its beginning: later it has moved
CERTAIN = 3  # standard errors that a change must be
OUR_RULE = "The studio's rule"

# Of a normal distribution: the median of the difference of two draws, and the standard error of a median
# beside that of a mean, in standard deviations.
MEDIAN_OF_DIFFERENCES, MEDIAN_FOR_MEAN = 0.954, 1.253


@dataclass(frozen=True)
class Series:
    """A curve; what is no finite number is NaN."""

    steps: Sequence[float]
    values: Sequence[float]

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, part: slice) -> "Series":
        return Series(self.steps[part], self.values[part])

    @cached_property
    def finite(self) -> "Series":
        kept = [(s, v) for s, v in zip(self.steps, self.values, strict=True) if math.isfinite(v)]
        return Series([s for s, _ in kept], [v for _, v in kept])

    @cached_property
    def smooth(self) -> "Series":
        """Each value as the median of five: a spike is no trend."""
        return self.smoothed(5)

    def smoothed(self, window: int) -> "Series":
        values, side = self.finite.values, window // 2
        medians = [statistics.median(values[max(0, at - side) : at + side + 1]) for at in range(len(values))]
        return Series(self.finite.steps, medians)

    @cached_property
    def start(self) -> float:
        """Where it began: the median of its first three points."""
        return statistics.median(self.finite.values[:FEWEST])

    @cached_property
    def end(self) -> float:
        """Where it is: the median of its last fifth."""
        return statistics.median(self.finite.values[-max(FEWEST, round(len(self.finite) * LAST)) :])

    @cached_property
    def noise(self) -> float:
        """By how much it differs from one point to the next without a trend, as a standard deviation."""
        steps = [abs(b - a) for a, b in itertools.pairwise(self.finite.values)]
        return statistics.median(steps) / MEDIAN_OF_DIFFERENCES if steps else 0.0

    @cached_property
    def unsure(self) -> float:
        """By how much more than its start it may really have begun with: what its later half differs by,
        beside where that lies. The first points are few, and their rows may have been easy ones."""
        late = self[len(self) // 2 :]
        level = abs(statistics.median(late.finite.values)) if len(late.finite) else 0.0
        return math.sqrt(FEWEST) * late.noise / level if level else 0.0

    @cached_property
    def drift(self) -> tuple[float, float, float]:
        """The medians of its first and of its last fifth, and the standard error of their difference."""
        values = self.finite.values
        part = max(FEWEST, round(len(values) * LAST))
        error = self.noise * MEDIAN_FOR_MEAN * math.sqrt(2 / part)
        return statistics.median(values[:part]), statistics.median(values[-part:]), error

    def since(self, holds: Callable[[float], bool]) -> float:
        """The first step from which on it held without a break, spikes aside."""
        since = len(self.finite)
        while since and holds(self.smooth.values[since - 1]):
            since -= 1
        points = zip(self.finite.steps[since:], self.finite.values[since:], strict=True)
        return next((step for step, value in points if holds(value)), self.steps[-1])


@dataclass(frozen=True)
class Patient:
    """What a rule sees of a run. `advised` are the settings the studio would recommend for it, `noted` the
    names of what was found in its data when they came in."""

    technique: Technique
    adapter: str = "full"
    settings: Mapping[str, Any] = field(default_factory=dict)
    series: Mapping[str, Series] = field(default_factory=dict)
    advised: Mapping[str, Any] = field(default_factory=dict)
    shape: str = ""
    rows: int | None = None
    graders: Sequence[Mapping[str, Any]] = ()
    error: Mapping[str, Any] = field(default_factory=dict)
    total_steps: int | None = None
    noted: frozenset[str] = frozenset()

    def has(self, *keys: str) -> bool:
        """Whether these curves are long enough to say something."""
        return all(key in self.series and len(self.series[key].finite) >= ENOUGH for key in keys)

    def info(self, key: str) -> MetricInfo | None:
        return next((metric for metric in self.technique.metrics if metric.key == key), None)

    def healthy(self, key: str) -> Healthy | None:
        info = self.info(key)
        return info.healthy if info else None

    @property
    def answers_itself(self) -> bool:
        """Whether it learns from a reward: its loss is near zero by construction and says nothing."""
        return self.technique.graded

    @cached_property
    def best_reward(self) -> float | None:
        """The most the graders can give together; None where one has no upper end."""
        best = 0.0
        for each in self.graders:
            known = graders.get(each["grader"]) if graders.has(each["grader"]) else None
            if known is None or known.high is None or known.low is None:
                return None
            best += max(each["weight"] * known.high, each["weight"] * known.low)
        return best if self.graders else None

    @property
    def is_solved(self) -> bool:
        """Whether it learned to get nearly all that its graders give: then alike answers are no harm."""
        if self.best_reward is None or not self.has("reward"):
            return False
        reward = self.series["reward"]
        return reward.end >= 0.9 * self.best_reward and reward.end > reward.start + 0.02 * self.best_reward


@dataclass(frozen=True)
class Evidence:
    """A metric with where it began, where it is, and from which step on it shows what is wrong; `limit` is
    the threshold it crossed."""

    key: str
    step: float
    began: float
    now: float
    limit: float | None = None


@dataclass(frozen=True)
class Change:
    """Another value of one of the technique's settings, and why it should help."""

    name: str
    value: Any
    why: str


@dataclass(frozen=True)
class Finding:
    """What a rule says of one run: how bad, what, in the run's numbers, where that shows, and what a clone
    would change. `besides` is what no setting mends."""

    severity: Severity
    diagnosis: str
    evidence: tuple[Evidence, ...]
    changes: tuple[Change, ...] = ()
    besides: str = ""


@dataclass(frozen=True)
class Rule:
    """One way in which a run goes wrong. `explanation` says what it is and why it harms; `concerns` whether
    it can be looked for in this run at all, by now. `of_data`: it says something even of a run that diverged,
    of which everything else only follows."""

    name: str
    title: str
    explanation: str
    concerns: Callable[[Patient], bool]
    examine: Callable[[Patient, Limits], Finding | None]
    thresholds: Mapping[str, Threshold] = field(default_factory=dict)
    of_data: bool = False
    order: int = 100


def threshold(title: str, help: str, value: float, source: str) -> Threshold:
    return Threshold(title=title, help=help, value=value, source=source, whole=False)


def high_of(healthy: Healthy, title: str, help: str) -> Threshold:
    """The upper end of a metric's healthy range, which has its source there."""
    assert healthy.high is not None
    return threshold(title, help, healthy.high, healthy.source)


def low_of(healthy: Healthy, title: str, help: str) -> Threshold:
    assert healthy.low is not None
    return threshold(title, help, healthy.low, healthy.source)


def evidence(
    patient: Patient, key: str, holds: Callable[[float], bool], limit: float | None = None
) -> Evidence:
    series = patient.series[key]
    return Evidence(key, series.since(holds), series.start, series.end, limit)


def slower(patient: Patient, why: str, factor: float = 3) -> tuple[Change, ...]:
    """A learning rate so many times lower, or the recommended one where that is lower still."""
    now = patient.settings.get("learning_rate")
    if not now:
        return ()
    lower = min(now / factor, patient.advised.get("learning_rate", now))
    return (Change("learning_rate", float(f"{lower:.1e}"), why),)


def share(value: float) -> str:
    """0.6231 as “62 %”."""
    return f"{value * 100:.0f} %" if value >= 0.095 or value == 0 else f"{value * 100:.2g} %"


def number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
