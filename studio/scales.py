"""Where values lie on an axis, and its ticks. Numbers lie evenly or by their size, words one by one."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["linear", "log", "words"]
WIDE = 10.0  # from this ratio of the largest to the smallest, positive numbers are laid out by their size
FEW, CLOSE = 7, 0.06  # numbers that each have a tick, unless it stood this close to the one before
STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Tick:
    """`at` from 0, the low end of the axis, to 1."""

    at: float
    text: str


@dataclass(frozen=True)
class Scale:
    """An axis from `low` to `high`; of words these are the places of the first and the last of `words`."""

    kind: Kind
    low: float
    high: float
    ticks: tuple[Tick, ...]
    words: tuple[str, ...] = ()

    def at(self, value: Any) -> float | None:
        """From 0 to 1 between the ends; None for what has no place here."""
        if self.kind == "words":
            place = self.words.index(said(value)) if said(value) in self.words else None
            return None if place is None else _share(place, self.low, self.high)
        if not is_number(value) or (self.kind == "log" and value <= 0):
            return None
        return _at(self.kind, value, self.low, self.high)


def fit(values: Sequence[Any], *, log: bool | None = None, ticks: int = 5) -> Scale:
    """An axis on which all values that are not None have a place. `log` chooses for numbers; left out, their
    spread does. Zero and less have no place on an axis by size: there it is even after all."""
    present = [value for value in values if value is not None]
    if not present or not all(map(is_number, present)):
        return _of_words(present)
    low, high = float(min(present)), float(max(present))
    by_size = low > 0 and (high / low >= WIDE if log is None else log)
    return by_sizes(low, high) if by_size else evenly(low, high, ticks)


def at_values(values: Sequence[Any], *, log: bool | None = None) -> Scale:
    """As `fit`, but an axis of few numbers ends at them and has its ticks at them: 8, 16 and 64."""
    scale = fit(values, log=log)
    numbers = sorted({float(value) for value in values if value is not None}) if scale.kind != "words" else []
    if not 2 <= len(numbers) <= FEW:
        return scale
    low, high = numbers[0], numbers[-1]
    ticks: list[Tick] = []
    for value in numbers:
        at = _at(scale.kind, value, low, high)
        if not ticks or at - ticks[-1].at >= CLOSE:
            ticks.append(Tick(at, said(value)))
    return Scale(scale.kind, low, high, tuple(ticks))


def evenly(low: float, high: float, ticks: int = 5) -> Scale:
    """From a round number at or below `low` to one at or above `high`."""
    if low == high:
        low, high = low - (abs(low) or 1) / 2, high + (abs(high) or 1) / 2
    step = _round_step((high - low) / max(ticks - 1, 1))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    places = [round(place * step, 12) for place in range(first, last + 1)]
    start, end = places[0], places[-1]
    return Scale("linear", start, end, tuple(Tick(_share(each, start, end), said(each)) for each in places))


def within(low: float, high: float, ticks: int = 7) -> Scale:
    """From `low` to `high` exactly, with ticks at the round numbers between."""
    even = evenly(low, high, ticks)
    if low == high:
        return even
    step = even.ticks[1].at * (even.high - even.low)
    places = [even.low + step * place for place in range(len(even.ticks))]
    shown = [each for each in places if low <= each <= high]
    return Scale(
        "linear", low, high, tuple(Tick(_share(each, low, high), said(round(each, 9))) for each in shown)
    )


def by_sizes(low: float, high: float) -> Scale:
    """From `low` to `high` by their logarithm; ticks at powers of ten, over few of them at 2 and 5 too."""
    if low == high:
        low, high = low / 2, high * 2
    tens = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1, 2, 5) if len(tens) <= 3 else (1,)
    marks = [step * 10.0**ten for ten in tens for step in steps if low <= step * 10.0**ten <= high]
    every = -(-len(marks) // 7) or 1
    marks = marks[::every] if len(marks) > 1 else [low, high]
    return Scale("log", low, high, tuple(Tick(_at("log", each, low, high), said(each)) for each in marks))


def _of_words(present: Sequence[Any]) -> Scale:
    """Words in the order of their first run; numbers among them in order of size."""
    words = tuple(dict.fromkeys(map(said, sorted(present, key=_size))))
    last = max(len(words) - 1, 0)
    marks = tuple(Tick(_share(place, 0, last), word) for place, word in enumerate(words))
    return Scale("words", 0, last, marks, words)


def _size(value: Any) -> float:
    return float(value) if is_number(value) else math.inf


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def said(value: Any) -> str:
    """A value in few characters: 0.0001, 1e-5, 12,000, on."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "on" if value else "off"
    if not isinstance(value, int | float):
        return str(value)
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else "∞" if value > 0 else "−∞"
    if value and not 1e-4 <= abs(value) < 1e7:
        mantissa, exponent = f"{value:.3e}".split("e")
        text = f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    else:
        digits = max(0, 3 - math.floor(math.log10(abs(value)))) if value else 0
        text = f"{value:,.{digits}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    return text.replace("-", "−", 1) if text.startswith("-") else text


def _round_step(rough: float) -> float:
    ten = 10.0 ** math.floor(math.log10(rough))
    return next(step * ten for step in STEPS if step * ten >= rough * (1 - 1e-9))


def _at(kind: Kind, value: float, low: float, high: float) -> float:
    if kind == "log":
        return _share(math.log(value), math.log(low), math.log(high))
    return _share(value, low, high)


def _share(value: float, low: float, high: float) -> float:
    return 0.5 if low == high else round((value - low) / (high - low), 6)
