"""What a metric means: title, group, unit, help and healthy range, as the runs' techniques say them."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from fnmatch import fnmatchcase
from typing import Any

from studio import techniques
from studio.models import Run
from studio.techniques import Healthy, MetricInfo


def describe(runs: Sequence[Run], keys: Iterable[str]) -> list[dict[str, Any]]:
    """Title, group, unit, meaning and healthy range of each key, in the order the runs' techniques list them.
    Of runs from elsewhere it is not known which technique they used: any may know a key.
    Where techniques disagree about what is healthy, as GRPO and GSPO do about clipping, nothing is said."""
    names = dict.fromkeys(run.technique for run in runs if techniques.has(run.technique))
    lists = [each.metrics for each in ([techniques.get(name) for name in names] or techniques.all())]
    known = [info for metrics in lists for info in metrics]
    found = [(*_info(known, key), key) for key in set(keys)]
    return [
        _chart(key, info, agreed=len({_healthy(metrics, key) for metrics in lists}) == 1)
        for _, info, key in sorted(found, key=lambda each: (each[0], each[2]))
    ]


def better(runs: Sequence[Run], key: str) -> str:
    """Which end of a metric is better, “lower” or “higher”, as the runs' techniques say it; empty where it is
    not known or they disagree."""
    names = dict.fromkeys(run.technique for run in runs if techniques.has(run.technique))
    known = [techniques.get(name) for name in names] or techniques.all()
    own = {each.best_by[1] for each in known if each.best_by[0] == key}
    said = own or {info.better for each in known if (info := _info(each.metrics, key)[1]) and info.better}
    return said.pop() if len(said) == 1 else ""


def is_share(runs: Sequence[Run], key: str) -> bool:
    """Whether it lies between 0 and 1, so that a change of it is told in points."""
    names = dict.fromkeys(run.technique for run in runs if techniques.has(run.technique))
    found = [_info(techniques.get(name).metrics, key)[1] for name in names]
    return any(info is not None and info.is_share for info in found)


def _info(known: Sequence[MetricInfo], key: str) -> tuple[float, MetricInfo | None]:
    """Where `key` stands among the metrics of the techniques, and what it is. A `*` in a key of theirs stands
    for a name, such as a grader's; `eval_` before a key for the same on held-out data."""
    for place, info in enumerate(known):
        if info.key == key:
            return float(place), info
    for place, info in enumerate(known):
        if "*" in info.key and fnmatchcase(key, info.key):
            head, tail = info.key.split("*", 1)
            name = key[len(head) : len(key) - len(tail) or None]
            return place, replace(info, key=key, title=info.title.replace("*", name))
    if key.startswith("eval_"):
        beside, info_of = _info(known, key.removeprefix("eval_"))
        if info_of is not None:
            return beside + 0.5, replace(info_of, key=key, title=f"{info_of.title}, held out")
    return math.inf, None


def _healthy(known: Sequence[MetricInfo], key: str) -> Healthy | None:
    info = _info(known, key)[1]
    return info.healthy if info else None


def _chart(key: str, info: MetricInfo | None, *, agreed: bool) -> dict[str, Any]:
    shown = info or MetricInfo(key, key.replace("_", " "), "Other", "")
    names = ("key", "title", "group", "unit", "help", "exact")
    healthy = shown.healthy and asdict(shown.healthy) | {"words": shown.healthy_words()}
    return {name: getattr(shown, name) for name in names} | {"healthy": healthy if agreed else None}
