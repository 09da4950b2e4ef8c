"""Charts as plain geometry: strokes, dots, bands, rules and words in a box, the origin at its upper left.

Both writers, SVG and PDF, draw what is laid out here. Colours are places (0, 1, …) of a palette.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from studio import scales
from studio.report.palette import LIGHT
from studio.scales import Scale

Point = tuple[float, float]
WIDTH, HEIGHT = 660.0, 250.0
LEFT, TOP, FOOT = 52.0, 10.0, 38.0
LABELS = 150.0  # room at the right for the names of the lines
LABELLED = 10  # lines that are named where they end; more of them would cover one another
LONGEST_LABEL = 24
LINE = 13.0  # from one name to the next
SMOOTHED = 50  # points from which a line is smoothed


@dataclass(frozen=True)
class Series:
    """A line to be drawn; `values` that are no numbers are gaps."""

    name: str
    place: int
    steps: Any
    values: Any


@dataclass(frozen=True)
class Stroke:
    points: list[Point]
    place: int | None
    faint: bool = False


@dataclass(frozen=True)
class Dot:
    """A point; those of the second eight colours are rings."""

    at: Point
    place: int
    name: str = ""

    @property
    def is_ring(self) -> bool:
        return self.place >= len(LIGHT)


@dataclass(frozen=True)
class Text:
    at: Point
    text: str
    anchor: Literal["start", "middle", "end"]
    place: int | None = None


@dataclass
class Drawing:
    """`rules` are lines of the grid, `band` what is healthy, from one height to another."""

    width: float
    height: float
    inside: tuple[float, float, float, float]  # left, top, right, bottom of the plane
    rules: list[tuple[Point, Point]] = field(default_factory=list)
    band: tuple[float, float] | None = None
    strokes: list[Stroke] = field(default_factory=list)
    dots: list[Dot] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)


def lines(
    series: Sequence[Series], *, low: float | None = None, high: float | None = None, smooth: float = 0.0
) -> Drawing:
    """A line a run over its steps. `low` and `high` are the ends of the healthy range; `smooth`, from 0 to 1,
    draws a smoothed line over the one that was logged."""
    labelled = len(series) <= LABELLED
    steps, values = _finite(each.steps for each in series), _finite(each.values for each in series)
    across, up = scales.within(min(steps), max(steps)), scales.evenly(min(values), max(values))
    made = _plane(across, up, LABELS if labelled else 12.0, "step")
    for each in series:
        smoothed = smooth > 0 and len(each.values) >= SMOOTHED
        _trace(made, each, each.values, across, up, faint=smoothed)
        if smoothed:
            _trace(made, each, smooth_line(each.values, smooth), across, up)
    made.band = _band(made, up, low, high)
    if labelled:
        made.texts += _names(made, series)
    return made


def points(
    across: Scale,
    up: Scale,
    found: Sequence[tuple[float | None, float | None, int, str]],
    *,
    together: Sequence[Sequence[int]] = (),
    title: str = "",
) -> Drawing:
    """A scatter: (place across, place up, colour, name) a run, each from 0 to 1; None has no point. Those of
    `together` are joined. Each point has its name beside it."""
    made = _plane(across, up, LABELS, title)
    at = [None if x is None or y is None else _at(made, x, y) for x, y, _, _ in found]
    for group in together:
        joined = [point for index in group if (point := at[index]) is not None]
        if len(joined) > 1:
            made.strokes.append(Stroke(joined, None))
    for point, (_, _, place, name) in zip(at, found, strict=True):
        if point is not None:
            made.dots.append(Dot(point, place, name))
    made.texts += _names_of_dots(made)
    return made


def _names_of_dots(made: Drawing) -> list[Text]:
    """To the right of each point; those above one another are moved apart."""
    columns: dict[float, list[Dot]] = {}
    for dot in sorted(made.dots, key=lambda each: each.at[1]):
        columns.setdefault(dot.at[0], []).append(dot)
    texts = []
    for x, dots in columns.items():
        heights = apart([dot.at[1] for dot in dots], made.inside[1], made.inside[3], gap=LINE - 2)
        for height, dot in zip(heights, dots, strict=True):
            texts.append(Text((x + 8, height + 3.5), _short(dot.name, LONGEST_LABEL), "start", dot.place))
    return texts


def smooth_line(values: Any, weight: float) -> Any:
    """The mean of what was logged so far, the newest weighing most; gaps stay gaps and are passed over."""
    made = np.array(values, dtype=np.float64)
    total = known = 0.0
    for place, value in enumerate(made):
        if math.isfinite(value):
            total, known = total * weight + value * (1 - weight), known * weight + (1 - weight)
            made[place] = total / known
    return made


def _finite(of: Iterator[Any]) -> Any:
    """All numbers of all lines; one zero where there are none, so that there are axes."""
    every = np.concatenate([np.asarray(each, dtype=np.float64) for each in of] or [np.zeros(1)])
    every = every[np.isfinite(every)]
    return every if len(every) else np.zeros(1)


def _plane(across: Scale, up: Scale, right: float, title: str) -> Drawing:
    """The box with its grid, ticks and the title of the axis below."""
    made = Drawing(WIDTH, HEIGHT, (LEFT, TOP, WIDTH - right, HEIGHT - FOOT))
    left, _, end, bottom = made.inside
    for tick in up.ticks:
        _, y = _at(made, 0, tick.at)
        made.rules.append(((left, y), (end, y)))
        made.texts.append(Text((left - 6, y + 3.5), _short(tick.text, 9), "end"))
    for tick in across.ticks:
        x, _ = _at(made, tick.at, 0)
        made.rules.append(((x, bottom), (x, bottom + 4)))
        made.texts.append(Text((x, bottom + 15), _short(tick.text, 14), _anchor(tick.at)))
    made.texts.append(Text(((left + end) / 2, bottom + 31), _short(title, 80), "middle"))
    return made


def _anchor(at: float) -> Literal["start", "middle", "end"]:
    return "start" if at < 0.03 else "end" if at > 0.97 else "middle"


def _at(made: Drawing, x: float, y: float) -> Point:
    left, top, right, bottom = made.inside
    return round(left + x * (right - left), 1), round(bottom - y * (bottom - top), 1)


def _trace(made: Drawing, each: Series, values: Any, across: Scale, up: Scale, faint: bool = False) -> None:
    """The line in pieces without gaps; a piece of one point is a dot."""
    left, top, right, bottom = made.inside
    x = left + _shares(each.steps, across) * (right - left)
    y = bottom - _shares(values, up) * (bottom - top)
    numbers = np.flatnonzero(np.isfinite(y))
    for piece in np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1):
        at = list(zip(np.round(x[piece], 1).tolist(), np.round(y[piece], 1).tolist(), strict=True))
        if len(at) > 1:
            made.strokes.append(Stroke(at, each.place, faint))
        elif at:
            made.dots.append(Dot(at[0], each.place))


def _shares(values: Any, scale: Scale) -> Any:
    """Where numbers lie between the ends of an even axis, from 0 to 1."""
    return (np.asarray(values, dtype=np.float64) - scale.low) / (scale.high - scale.low)


def _band(made: Drawing, up: Scale, low: float | None, high: float | None) -> tuple[float, float] | None:
    """From where to where the healthy range reaches on this axis."""
    if low is None and high is None:
        return None
    start = up.low if low is None else max(up.low, low)
    end = up.high if high is None else min(up.high, high)
    if start >= end:
        return None
    return _at(made, 0, up.at(end) or 0.0)[1], _at(made, 0, up.at(start) or 0.0)[1]


def _names(made: Drawing, series: Sequence[Series]) -> list[Text]:
    """Each name beside the end of its line, moved apart where they would cover one another."""
    _, top, right, bottom = made.inside
    ends: dict[int, float] = {}
    for stroke in made.strokes:
        if stroke.place is not None and not stroke.faint:
            ends[stroke.place] = stroke.points[-1][1]
    for dot in made.dots:
        ends.setdefault(dot.place, dot.at[1])
    found = [(ends[each.place], each) for each in series if each.place in ends]
    named = sorted(found, key=lambda each: each[0])
    heights = apart([height for height, _ in named], top + 4, bottom)
    return [
        Text((right + 8, height + 3.5), _short(each.name, LONGEST_LABEL), "start", each.place)
        for height, (_, each) in zip(heights, named, strict=True)
    ]


def apart(heights: Sequence[float], low: float, high: float, gap: float = LINE) -> list[float]:
    """Ascending heights moved so that none is closer than `gap` to the next, within the ends where there is
    room."""
    moved: list[float] = []
    for height in heights:
        moved.append(max(height, moved[-1] + gap if moved else low))
    ceiling = high
    for place in range(len(moved) - 1, -1, -1):
        moved[place] = min(moved[place], ceiling)
        ceiling = moved[place] - gap
    return moved


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
