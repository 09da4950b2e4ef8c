"""Runs put together by what they share: a setting, a tag, or everything but the seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from studio.comparison.settings import settings_of, titles, worded
from studio.models import Kind, Run

SAME = "same"  # grouped by everything but the seed
TAG = "tag"


@dataclass(frozen=True)
class Group:
    """Runs that share `value`; `title` says so in words. `value` is None where a run has no such thing."""

    title: str
    value: Any
    runs: list[Run]


def groups(runs: Sequence[Run], by: str) -> list[Group]:
    """The runs by a setting (as `settings_of` names it), by `tag`, or by `same`: all but the seed; in the
    order in which they are first met. A run with several tags stands with those that have all of them."""
    if by == SAME:
        return _but_for_the_seed(runs)
    found: dict[str, Group] = {}
    title = "tag" if by == TAG else titles(runs).get(by, by).lower()
    for run in runs:
        value = (", ".join(sorted(run.tags)) or None) if by == TAG else settings_of(run).get(by)
        said = f"{title} {worded(value)}" if value not in (None, "") else f"no {title}"
        found.setdefault(said, Group(said, value, [])).runs.append(run)
    return list(found.values())


def _but_for_the_seed(runs: Sequence[Run]) -> list[Group]:
    """Of a run from elsewhere the settings are not known: it stands alone."""
    found: dict[str, list[Run]] = {}
    for run in runs:
        known = {name: value for name, value in settings_of(run).items() if name != "seed"}
        key = f"run {run.id}" if run.kind == Kind.IMPORTED else repr(sorted(known.items()))
        found.setdefault(key, []).append(run)
    return [Group(_named(each), None, each) for each in found.values()]


def _named(runs: Sequence[Run]) -> str:
    return runs[0].name if len(runs) == 1 else f"{runs[0].name} and {len(runs) - 1} with other seeds"
