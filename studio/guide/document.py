"""The guide as data: `guide.json` loaded, typed and checked once.

Every word, number, rule and default of the guide lives in that file; this module only says what its parts are
and refuses a file that does not hang together. It decides nothing.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from itertools import chain
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from studio.errors import StudioError
from studio.guide.expressions import Expression, compile_expression, normalise
from studio.thresholds import Threshold, with_own

# What flags, cautions, gaps and next steps may look at beside the answers (made in rules.py).
OUTCOME_NAMES = frozenset(
    {
        "technique",
        "rule",
        "phase",
        "trainable",
        "phase_needed_for_target",
        "reported_usd_low",
        "reported_weeks_low",
    }
)


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Conditional(Part):
    when: str

    @property
    def expression(self) -> Expression:
        return compile_expression(self.when)


class Option(Part):
    """One answer to a choice; `phrase` is how sentences speak of it."""

    value: str | int
    label: str
    help: str
    phrase: str
    unknown: bool = False  # it says that something is not known yet: nobody is advised to change to it


class Question(Part):
    """One field of the answers in plain words. `met`/`unmet` word a rule's `field == option`; `flip` another
    answer to it: had it been {value}, and what was {given}."""

    kind: Literal["choice", "yes_no", "whole", "number", "share"]
    title: str
    help: str
    example: str
    min: float | None = None
    max: float | None = None
    unit: str = ""
    noun: str = ""
    none: str = "not known"
    options: tuple[Option, ...] = ()
    purpose: bool = False  # says what the person is after: a technique for something else is out at once
    met: str = ""
    unmet: tuple[str, str] | None = None
    flip: tuple[str, str] = ("With {value} {noun}", " instead of {given}")

    @cached_property
    def phrases(self) -> dict[str | int, str]:
        """Option value to the phrase sentences use for it."""
        return {option.value: option.phrase for option in self.options}


class Rule(Conditional):
    id: str
    recommend: str
    why: str


class FamilyMember(Conditional):
    technique: str


@dataclass(frozen=True)
class Route:
    """One way to a technique: a rule, and the member's own condition where the rule ends in a family."""

    rule: Rule
    position: int  # of the rule, from 0; the lower one wins
    order: int  # of the way itself, among all
    technique: str
    conditions: tuple[Expression, ...]
    purposes: tuple[Expression, ...]  # the conditions that say what the person must be after


class ConditionWords(Part):
    """Sentences for one condition: `met` (may be empty), and `unmet` as what is needed, what there is."""

    met: str
    unmet: tuple[str, str]
    noun: str = ""


class NextStep(Conditional):
    text: str


class StartParam(Part):
    value: float | int
    source: str


class Variant(Conditional):
    """Another technique of the same kind, and when it fits; `when` says whether it does, as far as answers
    tell."""

    technique: str
    title: str
    fits: str
    source: str
    when: str = "False"


class GuideTechnique(Part):
    """One answer the guide can give. `phase` None: stay where you are; `run_as`: the runs it takes."""

    title: str
    meaning: str
    trainable: bool
    phase: int | None
    run_as: tuple[str, ...]
    start_params: dict[str, StartParam]
    next_steps: tuple[NextStep, ...]
    passed_over: tuple[str, str] | None = None
    variants: tuple[Variant, ...] = ()


class DataGap(Conditional):
    """What may be short: answer `have` against threshold `need`; `purpose` ends "180 more …"."""

    key: str
    have: str
    need: str
    purpose: str


class Flag(Conditional):
    id: str
    title: str
    says: str
    gates: tuple[str, ...]


class Caution(Conditional):
    id: str
    says: str


class Phase(Part):
    """One phase as AWS reported it: a report of theirs, never a forecast of ours."""

    name: str
    weeks: str
    investment: str
    data: str
    when: tuple[str, ...]
    outcome: tuple[str, ...]
    usd_low: int
    weeks_low: int


class StepHelp(Part):
    help: str


class LoopRule(Conditional):
    """What follows from a measured step (`loop.Facts`). `items` names the fact that says how many questions
    to ask, `technique` one of the guide's, or a family."""

    id: str
    do: Literal["keep", "stop", "measure", "sample", "train", "collect", "guide"]
    technique: str = ""
    items: str = ""
    title: str
    says: str
    word: str


class Loop(Part):
    """`standing` words a verdict in figures; of the `rules` the first that holds decides."""

    standing: dict[str, str]
    rules: tuple[LoopRule, ...]


class Guide(Part):
    """The whole file. `questions` maps the eight steps to their fields and is the origin of both."""

    version: int
    date: str
    about: str
    evaluation: str
    questions: dict[str, dict[str, str | list[str]]]
    steps: dict[str, StepHelp]
    fields: dict[str, Question]
    defaults: dict[str, Any]
    thresholds: dict[str, Threshold]
    ascending: tuple[
        tuple[str, str], ...
    ]  # pairs of thresholds, the first of which is never above the second
    rules: tuple[Rule, ...]
    families: dict[str, tuple[FamilyMember, ...]]
    conditions: dict[str, ConditionWords]
    techniques: dict[str, GuideTechnique]
    data_gaps: tuple[DataGap, ...]
    flags: tuple[Flag, ...]
    cautions: tuple[Caution, ...]
    phases: dict[str, Phase]
    target_to_phase: tuple[tuple[float, int], ...]
    loop: Loop
    cases: list[dict[str, Any]] = Field(repr=False)
    edge_checks: list[dict[str, Any]] = Field(repr=False)

    @property
    def limits(self) -> dict[str, float | int]:
        """Threshold name to value: what `T[…]` means in an expression."""
        return {name: threshold.value for name, threshold in self.thresholds.items()}

    def family(self, rule: Rule) -> tuple[FamilyMember, ...]:
        """The techniques a rule may end in, each with its own condition."""
        name = rule.recommend.split(":")[0]
        return self.families.get(name) or (FamilyMember(technique=name, when="True"),)

    @cached_property
    def routes(self) -> tuple[Route, ...]:
        """Every way to every technique, in the order of the rules; thresholds play no part in it."""
        ways = [
            (rule, position, member)
            for position, rule in enumerate(self.rules)
            for member in self.family(rule)
        ]
        return tuple(self._route(order, *way) for order, way in enumerate(ways))

    def _route(self, order: int, rule: Rule, position: int, member: FamilyMember) -> Route:
        conditions = (*rule.expression.conditions, *member.expression.conditions)
        purposes = tuple(part for part in conditions if part.choice and self.fields[part.choice[0]].purpose)
        return Route(rule, position, order, member.technique, conditions, purposes)

    @cached_property
    def looked_at(self) -> dict[str, tuple[Expression, ...]]:
        """Each field that a rule looks at, with the conditions that do."""
        conditions = {part.source: part for route in self.routes for part in route.conditions}
        found = {
            name: tuple(part for part in conditions.values() if name in part.names) for name in self.fields
        }
        return {name: parts for name, parts in found.items() if parts}

    @cached_property
    def routes_by_field(self) -> dict[str, tuple[Route, ...]]:
        """Each field that a rule looks at, with the routes that do, in the order of the rules."""
        return {
            name: tuple(
                route for route in self.routes if any(name in part.names for part in route.conditions)
            )
            for name in self.looked_at
        }

    def with_thresholds(self, changed: Mapping[str, float | int]) -> "Guide":
        """The same guide with thresholds of your own. Raises StudioError for a wrong name or value."""
        thresholds = with_own(self.thresholds, changed, "guide")
        for lower, upper in self.ascending:
            if thresholds[lower].value > thresholds[upper].value:
                raise StudioError(
                    f"“{thresholds[lower].title}” cannot be above “{thresholds[upper].title}”.",
                    hint=f"They are {thresholds[lower].value:,g} and {thresholds[upper].value:,g}.",
                    field=lower if lower in changed else upper,
                )
        return self.model_copy(update={"thresholds": thresholds})

    @model_validator(mode="after")
    def _hangs_together(self) -> "Guide":
        asked = [name for fields in self.questions.values() for name in fields]
        if not (set(asked) == set(self.fields) == set(self.defaults)):
            raise ValueError("questions, fields and defaults name different answers")
        if set(self.steps) != {key.split(" ")[0] for key in self.questions}:
            raise ValueError("steps and questions differ")
        for name, question in self.fields.items():
            offered = next(fields[name] for fields in self.questions.values() if name in fields)
            if isinstance(offered, list) and offered != [option.value for option in question.options]:
                raise ValueError(f"{name}: the options differ from the question's")
        for rule in self.rules:
            for member in self.family(rule):
                if member.technique not in self.techniques:
                    raise ValueError(f"{rule.id} recommends the unknown {member.technique}")
                self._check_names(rule, frozenset())
                self._check_names(member, frozenset())
        outcomes: list[Conditional] = [*self.data_gaps, *self.flags, *self.cautions]
        for technique in self.techniques.values():
            outcomes += [*technique.next_steps, *technique.variants]
        for part in outcomes:
            self._check_names(part, OUTCOME_NAMES)
        if not set(chain.from_iterable(self.ascending)) <= set(self.thresholds):
            raise ValueError("`ascending` names an unknown threshold")
        for technique in self.techniques.values():
            if not technique.next_steps or technique.next_steps[-1].when != "True":
                raise ValueError(f"{technique.title}: the last next step must always hold")
        return self

    def _check_names(self, part: Conditional, more: frozenset[str]) -> None:
        unknown = part.expression.names - set(self.fields) - more
        unknown |= part.expression.thresholds - set(self.thresholds)
        if unknown:
            raise ValueError(f"{part.when!r} mentions the unknown {', '.join(sorted(unknown))}")


@cache
def load() -> Guide:
    """The guide that ships with the studio."""
    text = resources.files("studio.guide").joinpath("guide.json").read_text(encoding="utf-8")
    data = json.loads(text)
    data["conditions"] = {normalise(source): words for source, words in data["conditions"].items()}
    return Guide.model_validate(data)
