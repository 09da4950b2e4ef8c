"""What to do where the guide's answer is no training, and what to collect for the next one: steps in the
person's numbers, how many are missing, and by when to come back.

Every word and number stands in `plans.json` or is a threshold of the guide. Here is neither database nor
dataset: counts and what is known of the use case are handed in.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from importlib import resources
from typing import Any, Literal

from pydantic import model_validator

from studio.errors import NotFound
from studio.guide import document, words
from studio.guide.document import OUTCOME_NAMES, Conditional, Guide, Part
from studio.guide.rules import Recommendation

ABOUT = frozenset(
    {"criteria_count", "held_out_rows", "missing"}
)  # what conditions may look at beside the guide's names
Counts = Mapping[str, int | float]


class Number(Part):
    value: float | int
    source: str
    share: bool = False

    @property
    def words(self) -> str:
        """A share of 0.9 as 90%; other numbers as they are."""
        return words.format_share(self.value) if self.share else words.format_number(self.value)


class PlannedGoal(Part):
    fields: tuple[str, ...]
    need: str
    purpose: str


class PlannedStep(Conditional):
    """`id` is the same for the variants of one step, of which the first that holds is shown."""

    id: str
    who: str
    title: str
    says: str


class PlannedSheet(Conditional):
    sheet: str


class Plan(Part):
    """`techniques` are the guide's answers it belongs to, `collects` the answers whose counts it raises.
    `returns`: when enough is collected, after the phase's weeks, or after a month. `pace` is what a week
    brings unless somebody says otherwise."""

    title: str
    lead: str
    techniques: tuple[str, ...]
    collects: tuple[str, ...]
    goals: tuple[PlannedGoal, ...]
    pace: int
    unit: str
    returns: Literal["count", "phase", "month"]
    sheets: tuple[PlannedSheet, ...]
    steps: tuple[PlannedStep, ...]


class Sheet(Part):
    """A file to fill in: its columns with their help, the shape it is read as ("": it is no dataset)."""

    title: str
    shape: str
    columns: dict[str, str]
    examples: tuple[dict[str, str], ...]


class Plans(Part):
    about: str
    numbers: dict[str, Number]
    plans: dict[str, Plan]
    sheets: dict[str, Sheet]

    @model_validator(mode="after")
    def _hangs_together(self) -> "Plans":
        guide = document.load()
        for name, plan in self.plans.items():
            for part in (*plan.steps, *plan.sheets):
                unknown = part.expression.names - set(guide.fields) - OUTCOME_NAMES - ABOUT
                if unknown | part.expression.thresholds - set(guide.thresholds):
                    raise ValueError(f"{name}: {part.when!r} mentions something unknown")
            if not {each.sheet for each in plan.sheets} <= set(self.sheets):
                raise ValueError(f"{name} names a sheet that is not there")
            if not {each.need for each in plan.goals} <= set(guide.thresholds):
                raise ValueError(f"{name} names a threshold that is not there")
        return self


@cache
def load() -> Plans:
    """The plans that ship with the studio."""
    text = resources.files("studio.guide").joinpath("plans.json").read_text(encoding="utf-8")
    return Plans.model_validate(json.loads(text))


@dataclass(frozen=True)
class Goal:
    """So many are wanted, for this; `have` is what the person said or the studio counts, whichever is more.
    `returning`: reaching it is the time to ask the guide again."""

    fields: tuple[str, ...]
    noun: str
    have: int | float
    need: int | float
    purpose: str
    returning: bool = True

    @property
    def missing(self) -> int | float:
        return max(self.need - self.have, 0)


@dataclass(frozen=True)
class Step:
    """One step in the person's numbers: what is done, and by whom."""

    id: str
    title: str
    who: str
    says: str


@dataclass(frozen=True)
class Return:
    """When to come back, and the sum behind it in words."""

    day: date
    why: str


@dataclass(frozen=True)
class About:
    """What is known of the use case: the criterion that decides, and the rows it is measured on."""

    criteria: tuple[str, ...] = ()
    held_out: str = ""
    held_out_rows: int = 0


def name_for(technique: str) -> str | None:
    """The plan of an answer of the guide that is no training; None for the others."""
    return next((name for name, plan in load().plans.items() if technique in plan.techniques), None)


def get(name: str) -> Plan:
    """The plan of this name. Raises NotFound."""
    if name not in load().plans:
        raise NotFound(f"There is no plan “{name}”.", hint=f"There are: {', '.join(load().plans)}.")
    return load().plans[name]


def choose(advice: Recommendation, counted: Counts) -> str | None:
    """The plan to follow: the answer's own, or where it says to collect, or to train, that of the count
    which is nearest to what it opens. None where nothing is left to collect."""
    guide = _guide_of(advice)
    own = name_for(advice.technique)
    if own and not load().plans[own].collects:
        return own
    nearest = min(_goals_of(advice, guide, counted), key=lambda goal: goal.missing / goal.need, default=None)
    found = _collecting(nearest.fields) if nearest else None
    return found or own


def _collecting(fields: tuple[str, ...]) -> str | None:
    return next((name for name, plan in load().plans.items() if set(fields) <= set(plan.collects)), None)


def goals(
    name: str, advice: Recommendation | None, counted: Counts, guide: Guide | None = None
) -> list[Goal]:
    """What is to be reached, the nearest first: what the advice lacks and what would change it; the plan's
    own aims where that is nothing, or no count brings one back. Without advice the thresholds are those of
    `guide`, the shipped one unless given."""
    guide, plan = _guide_of(advice, guide), get(name)
    found = _goals_of(advice, guide, counted) if advice else []
    if plan.collects:
        found = [goal for goal in found if set(goal.fields) <= set(plan.collects)]
    answers = advice.answers if advice else guide.defaults
    for each in plan.goals if not found or not plan.collects else ():
        need, have = guide.thresholds[each.need].value, _have(each.fields, answers, counted)
        noun = _noun(guide, each.fields)
        found.append(Goal(each.fields, noun, have, need, each.purpose, returning=bool(plan.collects)))
    return sorted(found, key=lambda goal: (goal.missing == 0, goal.missing))


def _goals_of(advice: Recommendation, guide: Guide, counted: Counts) -> list[Goal]:
    """Gaps of the technique itself, then counts that alone keep another one away: for an answer that is to
    be trained those of its phase or later, else those that would change the answer."""
    answers = advice.answers
    found: dict[tuple[Any, ...], Goal] = {}
    for gap in guide.data_gaps:
        fields: tuple[str, ...] = (gap.have,)
        need = guide.thresholds[gap.need].value
        if advice.data_gap.get(gap.key) == need - answers[gap.have]:
            have = _have(fields, answers, counted)
            found[fields, need] = Goal(fields, _noun(guide, fields), have, need, gap.purpose)
    trainable = guide.techniques[advice.technique].trainable
    for unlock in advice.unlocks:
        technique, fields = guide.techniques[unlock.technique], tuple(unlock.fields)
        is_next = trainable and (technique.phase or 0) >= advice.phase
        if (unlock.changes_answer or is_next) and (fields, unlock.need) not in found:
            have = _have(fields, answers, counted)
            purpose = f"for {technique.title}"
            found[fields, unlock.need] = Goal(fields, unlock.noun, have, unlock.need, purpose)
    return list(found.values())


def _have(fields: tuple[str, ...], answers: Mapping[str, Any], counted: Counts) -> int | float:
    return sum(max(answers[field], counted.get(field, 0)) for field in fields)


def _noun(guide: Guide, fields: tuple[str, ...]) -> str:
    return " and ".join(guide.fields[field].noun for field in fields)


def steps(
    name: str,
    advice: Recommendation | None,
    counted: Counts,
    about: About,
    guide: Guide | None = None,
) -> list[Step]:
    """The steps that apply, each once, in the person's numbers."""
    guide, plan = _guide_of(advice, guide), get(name)
    values = _values(name, advice, counted, about, guide)
    limits = guide.limits
    found: dict[str, Step] = {}
    for step in plan.steps:
        if step.id not in found and step.expression.holds(values, limits):
            title, says = (words.fill(text, guide, values) for text in (step.title, step.says))
            found[step.id] = Step(step.id, title, step.who, says)
    return list(found.values())


def sheets(name: str, advice: Recommendation | None) -> list[str]:
    """The files to fill in, by name, the most fitting first."""
    guide = _guide_of(advice)
    values = _values(name, advice, {}, About(), guide)
    return [each.sheet for each in get(name).sheets if each.expression.holds(values, guide.limits)]


def _values(
    name: str, advice: Recommendation | None, counted: Counts, about: About, guide: Guide
) -> dict[str, Any]:
    """What conditions and texts may speak of."""
    answers = advice.answers if advice else guide.defaults
    first = next((goal for goal in goals(name, advice, counted, guide) if goal.missing), None)
    return (
        {each: number.words for each, number in load().numbers.items()}
        | answers
        | {field: max(answers[field], count) for field, count in counted.items()}
        | {"technique": advice.technique if advice else "", "rule": advice.rule if advice else ""}
        | {"phase": advice.phase if advice else 1, "trainable": False}
        | {"criteria_count": len(about.criteria), "criterion": next(iter(about.criteria), "")}
        | {"held_out_rows": about.held_out_rows, "held_out": about.held_out}
        | {"missing": first.missing if first else 0}
    )


def is_reached(found: list[Goal]) -> bool:
    """Enough is there for the guide to answer otherwise."""
    return any(goal.returning and not goal.missing for goal in found)


def come_back(name: str, found: list[Goal], phase: int, pace: int, today: date, since: date) -> Return:
    """The day to ask the guide again: when the nearest goal is reached at this pace, else after the weeks
    that AWS reported for the phase, or a month, from when the plan began."""
    plan = get(name)
    goal = next((goal for goal in found if goal.missing and goal.returning), None)
    if is_reached(found):
        return Return(today, "Enough is there for another answer")
    if plan.returns == "count" and goal:
        weeks = math.ceil(goal.missing / pace)
        day = today + timedelta(weeks=weeks)
        sum_up = f"{_say(goal.missing)} missing at {_say(pace)} a week: {_weeks(weeks)}, on {say_day(day)}"
        return Return(day, sum_up)
    if plan.returns == "month":
        weeks = int(load().numbers["month"].value)
        return Return(since + timedelta(weeks=weeks), f"A month's answers: {_weeks(weeks)} from the advice")
    weeks = document.load().phases[str(phase)].weeks_low
    why = f"{_weeks(weeks)} from the advice, the least that AWS reported for phase {phase}; not a forecast"
    return Return(since + timedelta(weeks=weeks), why)


def _say(value: float) -> str:
    return words.format_number(value)


def _weeks(count: int) -> str:
    return f"{count:,} week" + "s" * (count != 1)


def say_day(day: date) -> str:
    """20 December 2026."""
    return f"{day.day} {day:%B %Y}"


def _guide_of(advice: Recommendation | None, given: Guide | None = None) -> Guide:
    """The guide with the thresholds the advice was given with; without advice, as it is given."""
    guide = document.load()
    if advice is None:
        return given or guide
    kept = {name: value for name, value in advice.thresholds.items() if name in guide.thresholds}
    return guide.with_thresholds(kept)
