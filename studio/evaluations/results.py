"""What an evaluation's answers say: each contestant's figures with intervals, how it differs from another,
slice by slice, and which answers changed.

A difference is only called one where its paired interval excludes zero; else it is said how many questions it
would take to tell.
"""

import functools
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from studio import graders
from studio.datasets import canonical, library
from studio.evaluations import intervals, names
from studio.evaluations.intervals import Interval
from studio.held_out import taken_apart, text_of
from studio.lab import PASS_AT, pass_at
from studio.models import EvaluationItem, Run

GREEDY = 0  # the take that is no sample
MOST_SLICES, LEAST_IN_SLICE = 12, 5
TOO_MANY = 100_000  # questions nobody will write


@dataclass(frozen=True)
class Figure:
    """A metric of one contestant over the questions it was scored on. `pass_1` and `pass_8` come from the
    sampled answers, their intervals from drawing questions; None without them, or where no highest score is
    known."""

    metric: str
    contestant: int
    mean: Interval
    scored: int
    pass_1: Interval | None
    pass_8: Interval | None


@dataclass(frozen=True)
class Difference:
    """A contestant against another, over the questions both were scored on. `verdict`: better, worse or
    open; `needed` questions would tell, where it is open and that is a number anybody could reach."""

    metric: str
    contestant: int
    change: Interval
    asked: int
    gained: int
    lost: int
    verdict: str
    needed: int | None


@dataclass(frozen=True)
class Slice:
    """One value of one of the rows' own columns, with each contestant's figure there. `verdicts` say for each
    whether it is better or worse there than the one compared with, or open."""

    column: str
    value: str
    metric: str
    asked: int
    means: list[Interval | None]
    verdicts: list[str]


@dataclass(frozen=True)
class Cost:
    """Seconds and tokens an answer took, on average; answers are made many at a time, and share the time."""

    contestant: int
    answers: int
    seconds: float
    tokens: float


@dataclass(frozen=True)
class Results:
    questions: int
    figures: list[Figure]
    differences: list[Difference]
    slices: list[Slice]
    costs: list[Cost]


Scores = dict[str, dict[int, dict[int, float]]]  # {metric: {contestant: {question: score}}}


def of(session: Session, run: Run, against: int = 0) -> Results | None:
    """What is known so far, with every difference from the contestant `against`; None before the first
    answer."""
    items = session.execute(
        select(
            EvaluationItem.contestant,
            EvaluationItem.number,
            EvaluationItem.take,
            EvaluationItem.scores,
            EvaluationItem.seconds,
            EvaluationItem.tokens,
        ).where(EvaluationItem.run_id == run.id)
    ).all()
    if not items:
        return None
    metrics = {each["name"]: graders.get(each["grader"]).high for each in run.graders}
    scores: Scores = {name: defaultdict(dict) for name in metrics}
    samples: dict[tuple[str, int], dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    spent: dict[int, list[tuple[float, int]]] = defaultdict(list)
    for contestant, number, take, given, seconds, tokens in items:
        spent[contestant].append((seconds, tokens))
        for name, value in given.items():
            if name in metrics and isinstance(value, int | float):
                if take == GREEDY:
                    scores[name][contestant][number] = float(value)
                else:
                    samples[name, contestant][number].append(float(value))
    entered = range(len(names(run)))
    figures = [
        _figure(name, who, scores[name][who], samples[name, who], high)
        for name, high in metrics.items()
        for who in entered
        if scores[name][who]
    ]
    differences = [
        found
        for name in metrics
        for who in entered
        if who != against and (found := _difference(name, who, scores[name][against], scores[name][who]))
    ]
    return Results(
        questions=len({item.number for item in items}),
        figures=figures,
        differences=differences,
        slices=_slices(run, scores, against) if run.held_out else [],
        costs=[
            Cost(who, len(each), *(statistics.fmean(part) for part in zip(*each, strict=True)))
            for who, each in sorted(spent.items())
        ],
    )


@dataclass(frozen=True)
class Scored:
    """The greedy scores of one metric: `{contestant: {question: score}}`."""

    metric: str
    scores: Mapping[int, Mapping[int, float]]

    def mean(self, contestant: int) -> Interval | None:
        values = list(self.scores.get(contestant, {}).values())
        return intervals.mean(values) if values else None

    def difference(self, first: int, second: int) -> Difference | None:
        """`second` against `first`, over the questions both were scored on."""
        return _difference(self.metric, second, self.scores.get(first, {}), self.scores.get(second, {}))

    def to_reach(self, contestant: int, target: float) -> int | None:
        """How many questions would show that the target is met, if the mean stayed; None where nobody could
        write as many."""
        needed = intervals.needed_to_reach(list(self.scores[contestant].values()), target)
        return needed if needed and needed <= TOO_MANY else None


def scored(session: Session, run: Run, metric: str) -> Scored:
    """What any two contestants can be compared by."""
    found: dict[int, dict[int, float]] = defaultdict(dict)
    items = select(EvaluationItem.contestant, EvaluationItem.number, EvaluationItem.scores)
    for contestant, number, given in session.execute(
        items.where(EvaluationItem.run_id == run.id, EvaluationItem.take == GREEDY)
    ):
        if isinstance(given.get(metric), int | float):
            found[contestant][number] = float(given[metric])
    return Scored(metric, dict(found))


def pass_8(session: Session, run: Run, metric: str, contestant: int) -> float | None:
    """On what share of the questions one of eight samples is right; None without as many samples."""
    samples: dict[int, list[float]] = defaultdict(list)
    items = select(EvaluationItem.number, EvaluationItem.scores).where(
        EvaluationItem.run_id == run.id,
        EvaluationItem.contestant == contestant,
        EvaluationItem.take != GREEDY,
    )
    for number, given in session.execute(items):
        if isinstance(given.get(metric), int | float):
            samples[number].append(float(given[metric]))
    known = {each["name"]: graders.get(each["grader"]).high for each in run.graders}
    found = _passes(samples, known.get(metric))[PASS_AT]
    return found.value if found else None


def _figure(
    metric: str,
    contestant: int,
    scores: Mapping[int, float],
    samples: Mapping[int, Sequence[float]],
    high: float | None,
) -> Figure:
    passes = _passes(samples, high)
    mean = intervals.mean(list(scores.values()))
    return Figure(metric, contestant, mean, len(scores), passes[1], passes[PASS_AT])


def _passes(samples: Mapping[int, Sequence[float]], high: float | None) -> dict[int, Interval | None]:
    """pass@1 and pass@8, each the mean over the questions of what that question's samples say."""
    right = [(len(each), sum(score >= high for score in each)) for each in samples.values()] if high else []
    least = min((drawn for drawn, _ in right), default=0)
    return {
        k: _mean(tuple(pass_at(k, drawn, hits) for drawn, hits in right)) if 0 < k <= least else None
        for k in (1, PASS_AT)
    }


def _difference(
    metric: str, contestant: int, first: Mapping[int, float], second: Mapping[int, float]
) -> Difference | None:
    both = sorted(first.keys() & second.keys())
    if not both:
        return None
    before, after = tuple(first[number] for number in both), tuple(second[number] for number in both)
    change = _change(before, after)
    verdict = ("better" if change.low > 0 else "worse") if change.excludes_zero else "open"
    needed = intervals.needed(before, after) if verdict == "open" else None
    return Difference(
        metric=metric,
        contestant=contestant,
        change=change,
        asked=len(both),
        gained=sum(new > old for old, new in zip(before, after, strict=True)),
        lost=sum(new < old for old, new in zip(before, after, strict=True)),
        verdict=verdict,
        needed=max(needed, len(both) + 1) if needed and needed <= TOO_MANY else None,
    )


def _slices(run: Run, scores: Scores, against: int) -> list[Slice]:
    assert run.held_out is not None
    columns = _columns(str(library.rows_path(run.held_out)))
    entered = range(len(names(run)))
    found = []
    for column, values in columns.items():
        for value, numbers in values.items():
            for metric, by_contestant in scores.items():
                every = [
                    {number: each[number] for number in numbers if number in each}
                    for each in (by_contestant[who] for who in entered)
                ]
                asked = max(map(len, every), default=0)
                if asked >= LEAST_IN_SLICE:
                    means = [_mean(tuple(part.values())) if part else None for part in every]
                    verdicts = [_verdict(every[against], part) for part in every]
                    found.append(Slice(column, value, metric, asked, means, verdicts))
    return found


def _verdict(first: Mapping[int, float], second: Mapping[int, float]) -> str:
    found = _difference("", 0, first, second)
    return found.verdict if found else "open"


@functools.lru_cache(maxsize=32)
def _columns(path: str) -> dict[str, dict[str, list[int]]]:
    """{column: {value: the numbers of its rows}} of columns with a few values. A version never changes."""
    values: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    crowded: set[str] = set()
    for number, row in enumerate(canonical.each(Path(path))):
        for column, value in (row | (row.get("meta") or {})).items():
            if column in crowded or not isinstance(value, str | bool | int) or column == "reference_answer":
                continue
            values[column][str(value)].append(number)
            if len(values[column]) > MOST_SLICES:
                crowded.add(column)
                del values[column]
    return {column: dict(each) for column, each in values.items() if len(each) > 1}


@dataclass(frozen=True)
class Told:
    """One contestant by itself: each metric with its interval, how it differs from another, what an answer
    costs."""

    means: dict[str, Interval]
    differences: dict[str, Difference]
    cost: Cost


def one(session: Session, run: Run, contestant: int, against: int) -> Told | None:
    """What a contestant's greedy answers say beside those of `against`; None before the first."""
    items = session.execute(
        select(EvaluationItem).where(
            EvaluationItem.run_id == run.id,
            EvaluationItem.take == GREEDY,
            EvaluationItem.contestant.in_((contestant, against)),
        )
    ).scalars()
    metrics = [str(each["name"]) for each in run.graders]
    scores: Scores = {name: {contestant: {}, against: {}} for name in metrics}
    spent: list[tuple[float, int]] = []
    for item in items:
        if item.contestant == contestant:
            spent.append((item.seconds, item.tokens))
        for name in metrics:
            if isinstance(value := item.scores.get(name), int | float):
                scores[name][item.contestant][item.number] = float(value)
    if not spent:
        return None
    differences = {
        name: found
        for name in metrics
        if contestant != against
        and (found := _difference(name, contestant, scores[name][against], scores[name][contestant]))
    }
    means = {
        name: _mean(tuple(each[contestant].values())) for name, each in scores.items() if each[contestant]
    }
    seconds, tokens = (statistics.fmean(part) for part in zip(*spent, strict=True))
    return Told(means, differences, Cost(contestant, len(spent), seconds, tokens))


# Pages ask again and again for the intervals of the same scores.
_mean = functools.lru_cache(maxsize=1024)(intervals.mean)
_change = functools.lru_cache(maxsize=1024)(intervals.difference)


@dataclass(frozen=True)
class Answered:
    """One question with two contestants' answers to it."""

    number: int
    prompt: str
    reference: str
    first: EvaluationItem
    second: EvaluationItem


def changed(
    session: Session,
    run: Run,
    metric: str,
    contestant: int,
    *,
    gained: bool | None,
    against: int = 0,
    start: int = 0,
    count: int = 20,
) -> tuple[list[Answered], int]:
    """A page of the questions on which a contestant scored higher (`gained`) or lower than `against`, or of
    all where it is None, those with the largest change first; and how many there are."""
    found: dict[int, dict[int, EvaluationItem]] = defaultdict(dict)
    wanted = select(EvaluationItem).where(
        EvaluationItem.run_id == run.id,
        EvaluationItem.take == GREEDY,
        EvaluationItem.contestant.in_((against, contestant)),
    )
    for item in session.scalars(wanted):
        if isinstance(item.scores.get(metric), int | float):
            found[item.number][item.contestant] = item
    pairs = [(each[against], each[contestant]) for each in found.values() if len(each) == 2]
    moved = [(two.scores[metric] - one.scores[metric], one, two) for one, two in pairs]
    kept = [each for each in moved if gained is None or (each[0] > 0 if gained else each[0] < 0)]
    kept.sort(key=lambda each: (-abs(each[0]), each[1].number))
    return [_answered(run, one, two) for _, one, two in kept[start : start + count]], len(kept)


def _answered(run: Run, first: EvaluationItem, second: EvaluationItem) -> Answered:
    assert run.held_out is not None
    row: dict[str, Any] = library.rows_of(run.held_out, first.number, 1)[0]
    asked, reference = taken_apart(row)
    prompt = next((text_of(turn) for turn in reversed(asked) if turn["role"] == "user"), "")
    return Answered(first.number, prompt, reference, first, second)
