"""How often two people agree who judged the same rows: those whose `labelled_by` says who did.

Kappa takes away what chance alone would give (Cohen, Educational and Psychological Measurement 20, 1960).
"""

import functools
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from studio.datasets import canonical, library, shapes
from studio.datasets.view import fold
from studio.evaluations import intervals
from studio.evaluations.intervals import Interval
from studio.models import DatasetVersion

WHO = "labelled_by"
# What of a row was judged; the rest of it is what the judgement is about.
JUDGED = {
    "instruction": ("completion",),
    "classification": ("label",),
    "labelled": ("label",),
    "rated": ("score",),
    "preference": ("chosen", "rejected"),
}
Judgement = tuple[bytes, str, bytes]  # what was judged, who did, the verdict


@dataclass(frozen=True)
class Agreement:
    """Two people over `rows` rows: the share alike with its interval, and kappa (None where every verdict is
    the same)."""

    first: str
    second: str
    rows: int
    alike: Interval
    kappa: float | None


def between(versions: Iterable[DatasetVersion]) -> Agreement | None:
    """The two people with the most rows in common; None where no two judged the same row."""
    verdicts: dict[bytes, dict[str, bytes]] = defaultdict(dict)
    for version in versions:
        if version.shape in JUDGED and WHO in version.report.get("columns", ()):
            for about, who, verdict in _judgements(str(library.rows_path(version)), version.shape):
                verdicts[about][who] = verdict
    shared: dict[tuple[str, str], list[tuple[bytes, bytes]]] = defaultdict(list)
    for each in verdicts.values():
        for one, other in itertools.combinations(sorted(each), 2):
            shared[one, other].append((each[one], each[other]))
    if not shared:
        return None
    (first, second), pairs = max(shared.items(), key=lambda item: len(item[1]))
    alike = intervals.mean([float(one == other) for one, other in pairs])
    return Agreement(first, second, len(pairs), alike, kappa(pairs))


def kappa(pairs: Sequence[tuple[bytes, bytes]]) -> float | None:
    """(seen − by chance) / (1 − by chance); None where chance alone would always agree."""
    count = len(pairs)
    seen = sum(one == other for one, other in pairs) / count
    first, second = (Counter(side) for side in zip(*pairs, strict=True))
    chance = sum(first[verdict] * second[verdict] for verdict in first) / count**2
    return (seen - chance) / (1 - chance) if chance < 1 else None


@functools.lru_cache(maxsize=16)
def _judgements(path: str, shape: str) -> tuple[Judgement, ...]:
    """A version never changes, so it is read once."""
    found = []
    for row in canonical.each(Path(path)):
        if who := shapes.extra(row, WHO):
            about, verdict = _taken_apart(row, shape)
            found.append((about, str(who).strip(), verdict))
    return tuple(found)


def _taken_apart(row: dict[str, Any], shape: str) -> tuple[bytes, bytes]:
    judged = JUDGED[shape]
    about = {name: row[name] for name in shapes.get(shape).required if name not in judged}
    if shape == "preference":
        one, other = (fold(orjson.dumps(row[name]).decode()) for name in judged)
        return fold(orjson.dumps(about).decode()) + min(one, other) + max(one, other), one
    return fold(orjson.dumps(about).decode()), fold(orjson.dumps([row[name] for name in judged]).decode())
