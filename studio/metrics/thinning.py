"""Few points instead of many, without losing what matters: spikes, the shape, both ends, and gaps.

MinMaxLTTB (Van Der Donckt et al. 2023, arXiv:2305.00332): the extremes of small groups are the candidates;
of each bucket of candidates the one is kept that makes the largest triangle with the point kept before it and
the middle of the bucket after it. In numpy: for every bucket and every possible point before it the choice is
worked out at once, and a walk through that table finds the line. Of two spikes in a bucket that leaves one,
so a tenth of the points is kept for those that stand out most from their neighbours.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Places = NDArray[np.int64]
CANDIDATES = 4  # a bucket; the paper's ratio


def thin(
    steps: list[float], values: list[float | None], points: int
) -> tuple[list[float], list[float | None]]:
    """At most `points` of a series, None being a gap."""
    if len(steps) <= points:
        return steps, values
    numbers = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    kept = choose(np.array(steps, dtype=np.float64), numbers, points).tolist()
    return [steps[place] for place in kept], [values[place] for place in kept]


def choose(steps: Floats, values: Floats, points: int) -> Places:
    """The places of at most `points` points, in order. The ends and the lowest and highest value are always
    there; where values are missing or no numbers, the first place of the gap is."""
    if len(values) <= points:
        return np.arange(len(values))
    finite = np.isfinite(values)
    numbers = np.flatnonzero(finite)
    if not len(numbers):
        return np.linspace(0, len(values) - 1, points).astype(np.int64)
    gaps = np.flatnonzero(~finite & np.concatenate(([True], finite[:-1])))
    gaps = gaps[np.linspace(0, len(gaps) - 1, min(len(gaps), points // 4)).astype(np.int64)]
    part = values[numbers]
    ends = np.array([0, len(values) - 1, numbers[part.argmin()], numbers[part.argmax()]])
    few = points // 10
    shape = largest_triangles(steps[numbers], part, max(points - few - len(gaps) - len(ends), 3))
    return _once(np.concatenate((numbers[with_sharpest(part, shape, few)], gaps, ends)))


def with_sharpest(values: Floats, kept: Places, more: int) -> Places:
    """Besides what is `kept` of a line, up to `more` places that stand out most from their neighbours.
    Values that are no numbers are left out."""
    beside = np.concatenate((values[:1], values, values[-1:]))
    with np.errstate(invalid="ignore"):  # infinity minus infinity
        sharp = np.abs(2 * values - beside[:-2] - beside[2:])
    sharp[kept] = 0.0
    sharp[~np.isfinite(sharp)] = 0.0
    sharpest = np.argpartition(sharp, -more)[-more:] if more < len(sharp) else np.arange(len(sharp))
    return _once(np.concatenate((kept, sharpest[sharp[sharpest] > 0])))


def extremes(values: Floats, size: int) -> Places:
    """The places of the lowest and highest value of every `size` points, and of the first that is no number
    among them, in order."""
    if np.isfinite(values).all():
        whole = len(values) // size * size
        table = values[:whole].reshape(-1, size)
        at, rest = np.arange(0, whole, size), values[whole:]
        last = np.array([whole + rest.argmin(), whole + rest.argmax()] if len(rest) else [], dtype=np.int64)
        return _once(np.concatenate((table.argmin(axis=1) + at, table.argmax(axis=1) + at, last)))
    return _extremes_with_gaps(values, size)


def _extremes_with_gaps(values: Floats, size: int) -> Places:
    groups = -(-len(values) // size)
    padded = np.full(groups * size, np.nan)
    padded[: len(values)] = values
    table = padded.reshape(groups, size)
    finite = np.isfinite(table)
    some = finite.any(axis=1)
    at = np.arange(groups) * size
    lowest = np.where(finite, table, np.inf).argmin(axis=1) + at
    highest = np.where(finite, table, -np.inf).argmax(axis=1) + at
    broken = (~finite).argmax(axis=1) + at
    is_broken = ~finite.all(axis=1) & (broken < len(values))
    return _once(np.concatenate((lowest[some], highest[some], broken[is_broken])))


def largest_triangles(x: Floats, y: Floats, points: int) -> Places:
    """The places of about `points` points that keep the shape of a line; all `y` are numbers."""
    if len(y) <= points:
        return np.arange(len(y))
    buckets = points - 2
    inner = np.arange(1, len(y) - 1)
    if len(inner) > CANDIDATES * buckets:
        size = -(-2 * len(inner) // (CANDIDATES * buckets))
        inner = extremes(y[1:-1], size) + 1
    edges = np.linspace(0, len(inner), buckets + 1).astype(np.int64)
    edges = edges[np.concatenate(([True], np.diff(edges) > 0))]  # no empty bucket
    widest = int(np.diff(edges).max())
    members = inner[np.minimum(edges[:-1, None] + np.arange(widest), edges[1:, None] - 1)]
    return np.concatenate(([0], _walk(members, edges, inner, x - x[0], y), [len(y) - 1]))


def _walk(members: Places, edges: Places, inner: Places, x: Floats, y: Floats) -> Places:
    """One of `members` for each bucket; a row of it holds the candidates of a bucket, some of them twice."""
    counts = np.diff(edges)
    after_x = np.append(np.add.reduceat(x[inner], edges[:-1])[1:] / counts[1:], x[-1])
    after_y = np.append(np.add.reduceat(y[inner], edges[:-1])[1:] / counts[1:], y[-1])
    mx, my = after_x[:, None, None], after_y[:, None, None]
    here_x, here_y = x[members][:, None, :], y[members][:, None, :]
    before = np.concatenate((np.zeros((1, members.shape[1]), dtype=np.int64), members[:-1]))
    was_x, was_y = x[before][:, :, None], y[before][:, :, None]
    area = np.abs((was_x - mx) * (here_y - was_y) - (was_x - here_x) * (my - was_y))
    choices, widest = area.argmax(axis=2).ravel().tolist(), members.shape[1]
    chosen, at = [], 0
    for begin in range(0, len(choices), widest):
        at = choices[begin + at]
        chosen.append(at)
    return members[np.arange(len(members)), chosen]


def _once(places: Places) -> Places:
    """In order, each once. For these small arrays several times faster than np.unique."""
    places.sort()
    return places[np.append(True, places[1:] != places[:-1])]
