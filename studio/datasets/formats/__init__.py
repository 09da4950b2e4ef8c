"""The family of formats: one file for each way people write rows. `detect` finds the one that fits."""

import sys
from collections.abc import Sequence

from studio.datasets.formats.base import Format, Match, Row, RowError
from studio.registry import Registry

__all__ = ["FORMATS", "Format", "Match", "Row", "RowError", "detect", "matches"]

FORMATS: Registry[Format] = Registry(sys.modules[__name__], "FORMAT", "format")

# A specific format wins over a general one that fits more rows, as long as it fits four rows in five.
ENOUGH = 0.8


def matches(rows: Sequence[Row]) -> list[Match]:
    """Every format that fits some of the rows, the most specific first."""
    return [match for form in FORMATS.all() if (match := form.detect(rows))]


def detect(rows: Sequence[Row]) -> Match | None:
    """The format of these rows (the first 200 or so are enough), or None."""
    found = matches(rows)
    return next((match for match in found if match.score >= ENOUGH), None) or max(
        found, key=lambda match: match.score, default=None
    )
