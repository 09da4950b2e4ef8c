"""95 % intervals of what was measured, and of differences between two that answered the same questions. Knows
no tables; `benchmarks/intervals.py` shows how often they hold the truth.

Scores of 0 and 1 have closed forms that stay right for few questions and for shares near 0 and 1, where a
bootstrap is too narrow. Other scores are resampled.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

Z = 1.959964  # the normal distribution's 97.5 % point
POWER = 0.841621  # its 80 % point
DRAWS = 2000
STUDENT = (12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281)  # 1 … 10 degrees
AT_ONCE = 4_000_000  # numbers drawn together: 32 MB


@dataclass(frozen=True)
class Interval:
    """A figure with the ends of its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        return self.low > 0 or self.high < 0


def mean(scores: Sequence[float]) -> Interval:
    """The mean of one score a question: Wilson's interval for scores of 0 and 1, else the bootstrap's.

    Raises ValueError without a score."""
    values = np.asarray(scores, dtype=float)
    if len(values) == 0:
        raise ValueError("an interval needs at least one score")
    return _wilson(int(values.sum()), len(values)) if _is_binary(values) else _bootstrap(values)


def difference(before: Sequence[float], after: Sequence[float]) -> Interval:
    """The mean of after − before over the same questions in the same order: Tango's score interval for scores
    of 0 and 1 (Statistics in Medicine 17, 1998), else the paired bootstrap's.

    Raises ValueError without a question, or where the two are not of one length."""
    first, second = np.asarray(before, dtype=float), np.asarray(after, dtype=float)
    if len(first) != len(second) or len(first) == 0:
        raise ValueError("a difference needs two scores of each question")
    if _is_binary(first) and _is_binary(second):
        return _tango(int((second > first).sum()), int((first > second).sum()), len(first))
    return _bootstrap(second - first)


def of_mean(values: Sequence[float]) -> Interval | None:
    """Student's interval of the mean of a few measurements, such as one a seed. None with fewer than two."""
    each = np.asarray(values, dtype=float)
    if len(each) < 2:
        return None
    middle, half = float(each.mean()), student_exact(len(each) - 1) * _error(each)
    return Interval(middle, middle - half, middle + half)


def apart(one: Sequence[float], other: Sequence[float]) -> Interval | None:
    """Welch's interval of the difference other − one of two means, whatever their spreads (Biometrika 34,
    1947). None where one of them has fewer than two measurements."""
    first, second = np.asarray(one, dtype=float), np.asarray(other, dtype=float)
    if min(len(first), len(second)) < 2:
        return None
    difference = float(second.mean() - first.mean())
    parts = [(_error(each) ** 2, len(each) - 1) for each in (first, second)]
    error = sum(square for square, _ in parts)
    if not error:
        return Interval(difference, difference, difference)
    freedom = error**2 / sum(square**2 / count for square, count in parts)
    half = student_exact(freedom) * math.sqrt(error)
    return Interval(difference, difference - half, difference + half)


def _error(values: np.ndarray) -> float:
    """The standard error of the mean."""
    return float(values.std(ddof=1)) / math.sqrt(len(values))


def needed(before: Sequence[float], after: Sequence[float]) -> int | None:
    """How many questions would show a difference as large as the one seen, four times in five at a two-sided
    5 %: ((1.96 + 0.84) · s / d)². None where none was seen."""
    change = np.asarray(after, dtype=float) - np.asarray(before, dtype=float)
    apart = abs(float(change.mean()))
    return math.ceil(((Z + POWER) * float(change.std()) / apart) ** 2) if apart else None


def needed_to_reach(scores: Sequence[float], target: float) -> int | None:
    """How many questions would put the lower end of the interval at `target`, if the mean stayed as it is.
    None where the mean is not above it."""
    values = np.asarray(scores, dtype=float)
    above = float(values.mean()) - target
    if above <= 0:
        return None
    variance = target * (1 - target) if _is_binary(values) else float(values.var())  # Wilson's, solved for n
    return math.ceil(Z * Z * variance / above**2)


def _is_binary(values: np.ndarray) -> bool:
    return bool(np.isin(values, (0.0, 1.0)).all())


def _wilson(right: int, asked: int) -> Interval:
    """Wilson's score interval (Journal of the American Statistical Association 22, 1927)."""
    share, of_z = right / asked, Z * Z / asked
    middle = (share + of_z / 2) / (1 + of_z)
    half = Z * math.sqrt(share * (1 - share) / asked + of_z / (4 * asked)) / (1 + of_z)
    return Interval(share, 0.0 if right == 0 else middle - half, 1.0 if right == asked else middle + half)


def _tango(gained: int, lost: int, asked: int) -> Interval:
    """All differences that a score test would not refuse at 5 %: with few questions gained or lost it stays
    honest, where the usual one says that nothing can have changed."""
    seen = (gained - lost) / asked

    def distance(supposed: float) -> float:
        """The test's statistic where the true difference is `supposed`; it falls as that rises."""
        linear = -gained - lost + (2 * asked - gained + lost) * supposed
        constant = -lost * supposed * (1 - supposed)
        losing = (math.sqrt(max(linear**2 - 8 * asked * constant, 0.0)) - linear) / (4 * asked)
        variance = asked * (2 * losing + supposed * (1 - supposed))
        return (gained - lost - asked * supposed) / math.sqrt(max(variance, 1e-12))

    low = _crossing(lambda supposed: distance(supposed) - Z, -1.0, seen)
    high = _crossing(lambda supposed: distance(supposed) + Z, seen, 1.0)
    return Interval(seen, low, high)


def _crossing(falling: Callable[[float], float], low: float, high: float) -> float:
    """Where a falling function crosses zero, by halving."""
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if falling(middle) > 0 else (low, middle)
    return (low + high) / 2


def _bootstrap(values: np.ndarray) -> Interval:
    """The percentile interval, widened as Student's is against the normal: without that it is too narrow for
    few questions (Hesterberg, The American Statistician 69, 2015). The draws are the same every time."""
    count, middle = len(values), float(values.mean())
    rng = np.random.default_rng(0)
    rounds = max(1, math.ceil(DRAWS * count / AT_ONCE))
    means = [values[rng.integers(count, size=(DRAWS // rounds, count))].mean(axis=1) for _ in range(rounds)]
    low, high = np.percentile(np.concatenate(means), [2.5, 97.5])
    wider = student(count - 1) / Z * math.sqrt(count / (count - 1)) if count > 1 else math.inf
    spread = (float(low) - middle, float(high) - middle)
    return Interval(middle, *(middle + each * wider if each else middle for each in spread))


def student(freedom: int) -> float:
    """The 97.5 % point of Student's distribution (Abramowitz and Stegun, 26.7.5)."""
    return Z + (Z**3 + Z) / (4 * freedom) + (5 * Z**5 + 16 * Z**3 + 3 * Z) / (96 * freedom**2)


def student_exact(freedom: float) -> float:
    """The 97.5 % point of Student's distribution, also for few degrees of freedom, where `student` is too
    small."""
    whole = math.floor(freedom)
    if whole >= len(STUDENT):
        return student(whole)
    low = STUDENT[max(whole, 1) - 1]
    return low + (freedom - whole) * (STUDENT[whole] - low) if freedom > 1 else low
