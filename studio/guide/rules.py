"""Decides: the first rule that matches wins, and every word of the result comes from a rule and the answers.

`recommend` is the whole of it. It knows neither database nor datasets: counts arrive as answers, and storing
the recommendation is its caller's business.
"""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from studio.guide import words
from studio.guide.case import Case
from studio.guide.document import Guide, GuideTechnique, Route, Rule, load
from studio.guide.expressions import Expression
from studio.guide.flips import Flip, find_flips
from studio.guide.questions import Answers

BENCHMARK_KEYS = ("name", "weeks", "investment", "data")


class _Result(BaseModel):
    model_config = ConfigDict(frozen=True)


class RuledOut(_Result):
    technique: str
    why: str


@dataclass(slots=True)
class ConditionTrace:
    """One condition of a rule, whether it held, and what it looked at."""

    condition: str
    met: bool
    looked_at: dict[str, Any]


@dataclass(slots=True)
class RuleTrace:
    """One rule as it was tried. `matched` rules after the deciding one would have fitted too."""

    rule: str
    recommend: str
    matched: bool
    decided: bool
    conditions: list[ConditionTrace]

    @property
    def looked_at(self) -> dict[str, Any]:
        return {name: value for part in self.conditions for name, value in part.looked_at.items()}


class Unlock(_Result):
    """A count that alone keeps a technique away. `changes_answer`: enough of it gives that technique."""

    technique: str
    rule: str
    noun: str
    fields: list[str]
    have: int | float
    need: int | float
    changes_answer: bool

    @property
    def missing(self) -> int | float:
        return self.need - self.have


class Recommendation(_Result):
    """The guide's answer. `data_gap` maps what is short to how many; `benchmark` is AWS's report of `phase`.

    `answers` are complete (defaults filled in), `assumed` names those the person left open that rules up to
    the deciding one looked at; `thresholds` are the values used, so a stored result can be read on its own.
    """

    technique: str
    rule: str
    reasons: list[str]
    ruled_out: list[RuledOut]
    data_gap: dict[str, int | float]
    phase: int
    phase_needed_for_target: int | None
    flags: list[str]
    cautions: list[str]
    start_params: dict[str, int | float]
    benchmark: dict[str, str]
    next_step: str
    unlocks: list[Unlock]
    flips: list[Flip] = Field(default_factory=list)  # empty in what was stored before there were any
    assumed: list[str]
    answers: dict[str, Any]
    thresholds: dict[str, int | float]
    guide_version: int
    trace: list[RuleTrace]


def recommend(answers: Answers, guide: Guide | None = None) -> Recommendation:
    """The one technique these answers lead to, why, and why not each of the others.

    `guide` is the shipped one unless given (see `Guide.with_thresholds`).
    """
    guide = guide or load()
    case = case_of(answers, guide)
    winner = case.first_route()
    technique = guide.techniques[winner.technique]
    outcome = _describe_outcome(case, winner, technique)
    after = Case(guide, case.values | outcome, case.limits)
    unlocks = _find_unlocks(case, winner)
    ruled_out = [
        RuledOut(
            technique=name,
            why=_say_why_not(case, [r for r in guide.routes if r.technique == name], name, winner),
        )
        for name in guide.techniques
        if name != winner.technique
    ]
    return Recommendation(
        technique=winner.technique,
        rule=winner.rule.id,
        reasons=_say_why(case, winner),
        ruled_out=ruled_out,
        data_gap=_measure_gap(after),
        phase=outcome["phase"],
        phase_needed_for_target=outcome["phase_needed_for_target"],
        flags=[flag.id for flag in guide.flags if after.holds(flag.expression)],
        cautions=[
            words.fill(caution.says, guide, after.values)
            for caution in guide.cautions
            if after.holds(caution.expression)
        ],
        start_params={name: param.value for name, param in technique.start_params.items()},
        benchmark={key: getattr(guide.phases[str(outcome["phase"])], key) for key in BENCHMARK_KEYS},
        next_step=_find_next_step(after, technique),
        unlocks=unlocks,
        flips=find_flips(case, winner, answers.model_fields_set),
        assumed=_list_assumed(answers, case, winner),
        answers=case.values,
        thresholds=case.limits,
        guide_version=guide.version,
        trace=[_trace(case, rule, rule is winner.rule) for rule in guide.rules],
    )


def technique_of(answers: Answers, guide: Guide | None = None) -> str:
    """The technique alone, for those who ask often."""
    return case_of(answers, guide or load()).first_route().technique


def case_of(answers: Answers, guide: Guide) -> Case:
    return Case(guide, answers.model_dump(), guide.limits)


def find_phase_for_target(guide: Guide, target: float | None) -> int | None:
    """The first phase whose AWS-reported range reaches the target; None without a target."""
    if target is None:
        return None
    return next(phase for bound, phase in guide.target_to_phase if target <= bound)


def _describe_outcome(case: Case, winner: Route, technique: GuideTechnique) -> dict[str, Any]:
    """What flags, cautions, gaps and next steps may look at beside the answers."""
    phase = technique.phase or max(1, case.values["phase_done"])
    reported = case.guide.phases[str(phase)]
    return {
        "technique": winner.technique,
        "rule": winner.rule.id,
        "phase": phase,
        "trainable": technique.trainable,
        "phase_needed_for_target": find_phase_for_target(case.guide, case.values["metric_target"]),
        "reported_usd_low": reported.usd_low,
        "reported_weeks_low": reported.weeks_low,
    }


def _say_why(case: Case, winner: Route) -> list[str]:
    """The rule's own sentence, then the numbers behind it; for a last resort, what kept better rules away."""
    said = [words.say_met(case.guide, condition, case.values) for condition in winner.conditions]
    reasons = [winner.rule.why, *(sentence for sentence in said if sentence)]
    if all(part in winner.purposes or part.source == "True" for part in winner.conditions):
        reasons += _say_nearest_misses(case, winner)
    return reasons


def _say_nearest_misses(case: Case, winner: Route, at_most: int = 3) -> list[str]:
    """What the nearest earlier rules for the same purpose lacked, one sentence a rule and technique."""
    missed: list[Route] = []
    for route in sorted(case.guide.routes[: case.guide.routes.index(winner)], key=case.distance):
        aimed = route.purposes and case.is_aimed(route)
        if aimed and not any(route.rule is m.rule or route.technique == m.technique for m in missed):
            missed.append(route)
    return [_say_shortfall(case, route.technique, case.failing(route)) for route in missed[:at_most]]


def _say_why_not(case: Case, routes: list[Route], name: str, winner: Route) -> str:
    """One sentence: passed over by an earlier rule, for another purpose, or short of something."""
    technique = case.guide.techniques[name]
    aimed = [route for route in routes if case.is_aimed(route)]
    if not aimed:
        return _say_wrong_purpose(case, technique, routes)
    nearest = min(aimed, key=case.distance)
    failing = case.failing(nearest)
    if not failing:
        return _say_passed_over(case.guide, technique, winner, nearest)
    return _say_shortfall(case, name, failing)


def _say_passed_over(guide: Guide, technique: GuideTechnique, winner: Route, fitting: Route) -> str:
    winning = guide.techniques[winner.technique].title
    if technique.passed_over:
        needed, present = technique.passed_over
        return f"{technique.title} {needed}; {present.replace('{winner}', winning)}."
    return (
        f"{technique.title} would fit too ({fitting.rule.id}), "
        f"but {winning} comes first in the guide ({winner.rule.id})."
    )


def _say_wrong_purpose(case: Case, technique: GuideTechnique, routes: list[Route]) -> str:
    """The purpose that fails, with everything the technique's rules would accept there."""
    purposes = [part for route in routes for part in route.purposes if not case.holds(part)]
    wrong = [part.choice for part in purposes if part.choice]
    asked = [name for name, _ in wrong]
    name = "main_gap" if asked.count("main_gap") == len(routes) else asked[0]
    wanted = [value for other, values in wrong if other == name for value in values]
    needed, present = words.say_wrong_choice(case.guide, name, wanted, case.values)
    return f"{technique.title} {needed}; {present}."


def _say_shortfall(case: Case, name: str, failing: list[Expression]) -> str:
    """ "DPO needs 1,000 preference pairs; you have 320." Two failures at most, each about other answers."""
    told: list[tuple[str, str]] = []
    seen: set[str] = set()
    for condition in failing:
        if not condition.names & seen and len(told) < 2:
            told.append(words.say_unmet(case.guide, condition, case.values))
            seen |= condition.names
    title = case.guide.techniques[name].title
    if len(told) == 1:
        return f"{title} {told[0][0]}; {told[0][1]}."
    return f"{title} " + " and ".join(f"{needed} ({present})" for needed, present in told) + "."


def _find_next_step(after: Case, technique: GuideTechnique) -> str:
    step = next(step for step in technique.next_steps if after.holds(step.expression))
    return words.fill(step.text, after.guide, after.values)


def _measure_gap(after: Case) -> dict[str, int | float]:
    """What is short for the recommended technique, and by how many."""
    gap: dict[str, int | float] = {}
    for part in after.guide.data_gaps:
        missing = after.limits[part.need] - after.values[part.have]
        if missing > 0 and after.holds(part.expression):
            gap[part.key] = missing
    return gap


def _find_unlocks(case: Case, winner: Route) -> list[Unlock]:
    """Techniques that one count alone keeps away, those that would change the answer first."""
    found: dict[str, Unlock] = {}
    for route in case.guide.routes:
        unlock = _find_unlock(case, route) if route.technique != winner.technique else None
        if unlock is not None:
            held = found.get(route.technique)
            found[route.technique] = unlock if held is None else min(held, unlock, key=_rank_unlock)
    return sorted(found.values(), key=_rank_unlock)


def _rank_unlock(unlock: Unlock) -> tuple[bool, float]:
    return not unlock.changes_answer, unlock.missing


def _find_unlock(case: Case, route: Route) -> Unlock | None:
    failing = case.failing(route)
    if len(failing) != 1 or failing[0].floor is None or not words.noun_of(case.guide, failing[0]):
        return None
    counted, threshold = failing[0].floor
    have, need = counted.value(case.values, case.limits), case.limits[threshold]
    fields = list(failing[0].looks_at)
    more = {fields[0]: case.values[fields[0]] + need - have}
    richer = Case(case.guide, case.values | more, case.limits)
    return Unlock(
        technique=route.technique,
        rule=route.rule.id,
        noun=words.noun_of(case.guide, failing[0]),
        fields=fields,
        have=have,
        need=need,
        changes_answer=richer.first_route().technique == route.technique,
    )


def _list_assumed(answers: Answers, case: Case, winner: Route) -> list[str]:
    """Open answers that could have mattered: the deciding rule asks, or an earlier one of its purpose."""
    used: set[str] = set()
    for route in case.guide.routes:
        if route.position <= winner.position and case.is_aimed(route):
            used = used.union(*(condition.names for condition in route.conditions))
    return [name for name in case.guide.fields if name in used - answers.model_fields_set]


def _trace(case: Case, rule: Rule, decided: bool) -> RuleTrace:
    conditions = [
        ConditionTrace(
            condition=part.source,
            met=case.holds(part),
            looked_at={name: case.values[name] for name in part.looks_at},
        )
        for part in rule.expression.conditions
    ]
    return RuleTrace(
        rule=rule.id,
        recommend=rule.recommend,
        matched=all(part.met for part in conditions),
        decided=decided,
        conditions=conditions,
    )
