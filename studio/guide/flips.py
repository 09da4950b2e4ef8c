"""What would change the answer: single answers which, had they been otherwise, lead to another technique.

Tried are the other options of a choice, and for numbers the two sides of each figure that a condition holds
them against. Nearer changes come first, and what a person can bring about before what only the question
decides. Nobody is told to do less: counts fall only where a small error in counting would change the answer.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

from studio.guide import words
from studio.guide.case import Case
from studio.guide.document import Question, Route
from studio.guide.expressions import Expression

AT_MOST, AT_MOST_A_FIELD = 5, 2
ERROR_IN_COUNTING = 0.2  # by which share of itself a number may fall, and still be worth a word
STEPS = {"share": 0.01}  # how far from a bound its other side is shown, where that is not 1


class Flip(BaseModel):
    """Had `field` been `value`, the answer would be `technique`, by `rule`; `text` says so in a sentence."""

    model_config = ConfigDict(frozen=True)
    field: str
    value: str | int | float | bool
    technique: str
    rule: str
    text: str


@dataclass(frozen=True)
class _Change:
    """One other answer; `condition` is what a number was held against."""

    field: str
    value: Any
    group: int  # 0 a number that grows, 1 one that falls, or a choice, 2 what one is after, 3 fewer data
    distance: float  # 0..1: the share of a number that is still missing, how far apart two options stand
    condition: Expression | None = None

    @property
    def rank(self) -> tuple[float, ...]:
        return self.group, self.distance, self.value if self.condition else 0


def find_flips(case: Case, winner: Route, answered: Iterable[str]) -> list[Flip]:
    """At most five, each to another technique, the nearest first. `answered` are the fields a person gave."""
    found: dict[str, tuple[_Change, Route]] = {}
    for field, conditions in case.guide.looked_at.items():
        before = [case.holds(condition) for condition in conditions]
        for change in _changes(case, field):
            values = case.values | {field: change.value}
            after = [condition.holds(values, case.limits) for condition in conditions]
            if after != before:
                known = {part.source: held for part, held in zip(conditions, after, strict=True)}
                route = _first_route(Case(case.guide, values, case.limits, case.known | known), field, winner)
                held = found.get(route.technique)
                if route.technique != winner.technique and (held is None or change.rank < held[0].rank):
                    found[route.technique] = change, route
    said: list[Flip] = []
    for change, route in sorted(found.values(), key=lambda each: each[0].rank):
        if len(said) < AT_MOST and sum(flip.field == change.field for flip in said) < AT_MOST_A_FIELD:
            said.append(_say(case, change, route, change.field in set(answered)))
    return said


def _first_route(changed: Case, field: str, winner: Route) -> Route:
    """What wins now that `field` is another: before the winner, only a route that looks at it could."""
    for route in changed.guide.routes_by_field[field]:
        if route.order >= winner.order:
            break
        if changed.fits(route):
            return route
    return winner if changed.fits(winner) else changed.first_route()


def _changes(case: Case, field: str) -> Iterator[_Change]:
    question = case.guide.fields[field]
    return _choices(case, field, question) if question.options else _numbers(case, field, question)


def _choices(case: Case, field: str, question: Question) -> Iterator[_Change]:
    """Every other option, but none that says less than is known, and no step back."""
    given = case.values[field]
    at = list(question.phrases).index(given)
    for place, option in enumerate(question.options):
        is_back = isinstance(given, int) and place < at
        if place != at and not option.unknown and not is_back:
            distance = abs(place - at) / len(question.options)
            yield _Change(field, option.value, 2 if question.purpose else 1, distance)


def _numbers(case: Case, field: str, question: Question) -> Iterator[_Change]:
    given = case.values[field]
    step = STEPS.get(question.kind, 1)
    for condition in case.guide.looked_at[field]:
        for bound in _bounds(case, field, condition):
            for value in (bound, bound - step, bound + step):
                value = math.ceil(value) if question.kind == "whole" else round(value, 6)
                if value != given and (question.min or 0) <= value <= (question.max or 0):
                    falls = given is not None and value < given
                    distance = (given - value) / given if falls else _missing(given, value)
                    if not falls or distance <= ERROR_IN_COUNTING:
                        group = (3 if question.noun else 1) if falls else 0
                        yield _Change(field, value, group, distance, condition)


def _bounds(case: Case, field: str, condition: Expression) -> Iterator[float]:
    """Where the field stands on the edge of a comparison, the other answers being as they are."""
    given = case.values[field]
    for left, right in condition.compared:
        sides = (left.value(case.values, case.limits), right.value(case.values, case.limits))
        is_left = field in left.names
        other = sides[1] if is_left else sides[0]
        if field not in left.names | right.names or not isinstance(other, int | float):
            continue
        yield other if given is None else given + (other - sides[0] if is_left else other - sides[1])


def _missing(given: float | None, value: float) -> float:
    return (value - given) / value if given else 1.0


def _say(case: Case, change: _Change, route: Route, answered: bool) -> Flip:
    said, title = _say_change(case, change, answered), case.guide.techniques[route.technique].title
    return Flip(
        field=change.field,
        value=change.value,
        technique=route.technique,
        rule=route.rule.id,
        text=f"{said} it would be {title}.",
    )


def _say_change(case: Case, change: _Change, answered: bool) -> str:
    """ "With 500 labelled examples instead of 320"; without the latter half where nothing had been said."""
    guide, condition = case.guide, change.condition
    question = guide.fields[change.field]
    both = (case.values, case.values | {change.field: change.value})
    given, wanted = (words.format_answer(guide, change.field, values[change.field]) for values in both)
    noun = question.noun
    if condition and condition.floor and len(condition.names) > 1:  # thumbs up and down count together
        given, wanted = (
            words.format_number(condition.floor[0].value(values, case.limits)) for values in both
        )
        noun = words.noun_of(guide, condition)
    said = question.flip[0].replace("{value}", wanted).replace("{noun}", noun)
    known = answered and case.values[change.field] is not None
    return said + (question.flip[1].replace("{given}", given) if known else "")
