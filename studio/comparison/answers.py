"""What several runs answered to the same prompts, and which of them answers better.

Scores are the runs' own. A win, a tie or a loss is counted a prompt; how sure that is, an interval says.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from studio.evaluations import intervals
from studio.evaluations.intervals import Interval
from studio.models import Run, Sample
from studio.techniques.base import OVERHEARD

MATCH = "exact_match"
NEWEST = "newest"
WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Asked:
    """A prompt with one answer a run; None where a run was not asked it."""

    prompt: str
    reference: str
    answers: list[Sample | None]

    def scores(self, by: str) -> list[float | None]:
        return [_score(answer, by) for answer in self.answers]

    @property
    def key(self) -> str:
        """Of its first answer: the run and the number of the prompt there."""
        first = next(answer for answer in self.answers if answer is not None)
        return f"{first.run_id}-{first.number}"

    @property
    def is_shared(self) -> bool:
        return all(answer is not None for answer in self.answers)


@dataclass(frozen=True)
class WinRate:
    """A run beside another on the prompts that both were scored on. `rate` counts a tie as half a win;
    `needed` is how many prompts would tell such a difference from chance."""

    run: Run
    wins: int
    ties: int
    losses: int
    rate: Interval | None
    needed: int | None

    @property
    def asked(self) -> int:
        return self.wins + self.ties + self.losses

    @property
    def verdict(self) -> str:
        if self.rate is None:
            return "no prompt scored in both"
        if self.rate.low > 0.5:
            return "better"
        return "worse" if self.rate.high < 0.5 else "not told apart"


def asked(session: Session, runs: Sequence[Run], at: int | None = None) -> list[Asked]:
    """Each prompt with every run's newest answer, or with `at` its newest up to that step; prompts that more
    runs were asked first."""
    by_prompt: dict[str, dict[int, Sample]] = {}
    for sample in _newest(session, [run.id for run in runs], at):
        by_prompt.setdefault(sample.prompt, {}).setdefault(sample.run_id, sample)
    found = [
        Asked(
            prompt,
            next((each.reference for each in by_run.values() if each.reference), ""),
            [by_run.get(run.id) for run in runs],
        )
        for prompt, by_run in by_prompt.items()
    ]
    return sorted(found, key=lambda each: each.answers.count(None))


def _newest(session: Session, run_ids: Sequence[int], at: int | None) -> list[Sample]:
    last = select(Sample.run_id, Sample.number, func.max(Sample.step)).where(
        Sample.run_id.in_(run_ids), Sample.number < OVERHEARD
    )
    last = last if at is None else last.where(Sample.step <= at)
    key = tuple_(Sample.run_id, Sample.number, Sample.step)
    found = select(Sample).where(key.in_(last.group_by(Sample.run_id, Sample.number)))
    return list(session.scalars(found.order_by(Sample.number, Sample.run_id)))


def steps(session: Session, runs: Sequence[Run]) -> list[int]:
    """At which steps answers were given."""
    of_runs = Sample.run_id.in_([run.id for run in runs])
    found = select(Sample.step).where(of_runs, Sample.number < OVERHEARD).distinct()
    return sorted(session.scalars(found))


def scorers(found: Sequence[Asked]) -> list[str]:
    """By what answers were scored, the exact match first."""
    names = dict.fromkeys(
        name
        for each in found
        for answer in each.answers
        if answer
        for name in answer.scores
        if _score(answer, name) is not None
    )
    return sorted(names, key=lambda name: (name != MATCH, name))


def by_difference(found: Sequence[Asked], by: str) -> list[Asked]:
    """Prompts whose answers are farthest apart first: by their scores, then by their words."""
    return sorted(found, key=lambda each: (each.answers.count(None), -_spread(each, by), -_unlike(each)))


def _spread(each: Asked, by: str) -> float:
    scores = [score for score in each.scores(by) if score is not None]
    return max(scores) - min(scores) if scores else 0.0


def _unlike(each: Asked) -> float:
    """The share of words that the first answer and the one least like it do not have in common."""
    first, *others = [set(WORD.findall(answer.answer)) for answer in each.answers if answer] or [set()]
    return max((len(first ^ other) / len(first | other) for other in others if first | other), default=0.0)


def win_rates(found: Sequence[Asked], runs: Sequence[Run], by: str, baseline: int = 0) -> list[WinRate]:
    """Every other run beside the one at place `baseline`. The higher score wins; of a grader that a run
    counts as a penalty, the lower."""
    graders = [each for run in runs for each in run.graders]
    sign = -1 if any(each["name"] == by and each["weight"] < 0 for each in graders) else 1
    rates = []
    for place, run in enumerate(runs):
        if place == baseline:
            continue
        pairs = [(scores[baseline], scores[place]) for scores in (each.scores(by) for each in found)]
        rates.append(
            _win_rate(run, [(sign * a, sign * b) for a, b in pairs if a is not None and b is not None])
        )
    return rates


def _win_rate(run: Run, pairs: Sequence[tuple[float, float]]) -> WinRate:
    wins, losses = sum(b > a for a, b in pairs), sum(b < a for a, b in pairs)
    ties = len(pairs) - wins - losses
    if not pairs:
        return WinRate(run, 0, 0, 0, None, None)
    # Won or lost is all that counts: as differences of 0 and 1, so that ties make the interval no narrower.
    before, after = [float(b < a) for a, b in pairs], [float(b > a) for a, b in pairs]
    apart = intervals.difference(before, after)
    rate = Interval(*((1 + end) / 2 for end in (apart.value, apart.low, apart.high)))
    return WinRate(run, wins, ties, losses, rate, intervals.needed(before, after))


def _score(answer: Sample | None, by: str) -> float | None:
    score = answer.scores.get(by) if answer else None
    return float(score) if isinstance(score, bool | int | float) and score == score else None
