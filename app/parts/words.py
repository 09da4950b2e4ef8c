"""Numbers, sizes and times as a person reads them. Pure functions; the templates use them as filters.

Times are stored in UTC and shown in the viewer's zone: `ago` and `when` write a <time> element with the UTC
instant, which `static/live.js` rewrites in the browser.
"""

import math
from datetime import UTC, datetime

from markupsafe import Markup, escape

from studio.guide.words import format_points

MISSING = "–"


def number(value: float | None, digits: int = 4) -> str:
    """A metric: `digits` significant digits, never nine. 0.45119 → 0.4512, 12345.6 → 12,346, 2e-05 → 2e-5."""
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if math.isnan(value):
        return "not a number"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    size = abs(value)
    if size < 0.001 or size >= 1e9:
        mantissa, _, exponent = f"{value:.{digits - 2}e}".partition("e")
        mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        return minus(f"{mantissa}e{int(exponent)}")
    decimals = max(0, digits - 1 - math.floor(math.log10(size)))
    text = f"{value:,.{decimals}f}"
    return minus(text.rstrip("0").rstrip(".") if "." in text and float(value).is_integer() else text)


def minus(text: str) -> str:
    return text.replace("-", "−") if text.startswith("-") else text


def count(value: int | None, noun: str = "", plural: str = "") -> str:
    """1234, 'row' → '1,234 rows'."""
    if value is None:
        return MISSING
    if not noun:
        return f"{value:,}"
    return f"{value:,} {noun if value == 1 else plural or noun + 's'}"


def short(value: float | None) -> str:
    """A large count in three digits: 4,200,000 → 4.2M (parameters, tokens)."""
    if value is None:
        return MISSING
    for size, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def percent(share: float | None) -> str:
    """A share of one: 0.853 → 85.3 %."""
    if share is None:
        return MISSING
    points = 100 * share
    return f"{points:.0f} %" if points.is_integer() or abs(points) >= 99.95 else f"{points:.1f} %"


def size(count_of_bytes: float | None) -> str:
    """Bytes in decimal units, as disks and downloads are sold: 1,234,567 → 1.23 MB."""
    if count_of_bytes is None:
        return MISSING
    amount = float(count_of_bytes)
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if amount < 1000 or unit == "TB":
            return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.3g} {unit}"
        amount /= 1000
    raise AssertionError("unreachable")


def duration(seconds: float | None) -> str:
    """The two units that matter: 12 s, 4 min, 1 h 20 min, 3 d 4 h."""
    if seconds is None:
        return MISSING
    seconds = max(0.0, seconds)
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def left(seconds: float | None) -> str:
    """Time to go: 12 min left; empty while nobody knows."""
    if seconds is None:
        return ""
    return "less than 10 s left" if seconds < 10 else f"{duration(seconds)} left"


def ago(moment: datetime | None) -> Markup:
    """'3 min ago', kept up to date and put in the viewer's zone by the browser."""
    return stamp(moment, "ago")


def when(moment: datetime | None) -> Markup:
    """Date and time, put in the viewer's zone by the browser."""
    return stamp(moment, "when")


def stamp(moment: datetime | None, way: str) -> Markup:
    if moment is None:
        return Markup(MISSING)
    instant = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    plain = f"{instant:%Y-%m-%d %H:%M} UTC"
    return Markup('<time datetime="{}" data-time="{}">{}</time>').format(
        instant.isoformat(timespec="seconds"), way, escape(plain)
    )


FILTERS = {
    "number": number,
    "count": count,
    "short": short,
    "percent": percent,
    "points": format_points,
    "size": size,
    "duration": duration,
    "left": left,
    "ago": ago,
    "when": when,
}
