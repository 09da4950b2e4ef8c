"""The loop: what a measured step says about the next one. The first rule that holds wins.

Rules and words live in `guide.json` under `loop`, in the language of `expressions`; what was measured arrives
as `Facts`. This knows no database and carries nothing out.
"""

import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from studio.guide import words
from studio.guide.document import Guide, LoopRule, load

_PLACE = re.compile(r"\{(\w+)\}")
SHARES = frozenset({"target", "now", "low", "high", "pass_at_8"})
CHANGES = frozenset({"change", "base_change"})
ENDS = frozenset({"change_low", "change_high", "base_low", "base_high"})
MANY = "too many"

Verdict = Literal["none", "better", "worse", "open"]
Next = Literal["keep", "stop", "measure", "sample", "train", "collect", "guide"]


class Facts(BaseModel):
    """What is known after an evaluation, all by the metric that decides. `subject` is the newest step,
    `against` the best of the steps before it, `base` the model as it came. `needed` questions would tell the
    two apart, `to_target` show that the target is met, if the figures stayed; None where nobody could write
    as many. `unasked` are held-out questions not asked yet. `phase`: 0 and 1 are the base and the prompt."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    subject: str
    phase: int
    asked: int
    unasked: int
    target: float | None
    now: float
    low: float
    high: float
    to_target: int | None = None
    against: str = ""
    verdict: Verdict = "none"
    change: float = 0.0
    change_low: float = 0.0
    change_high: float = 0.0
    needed: int | None = None
    base: str = ""
    base_verdict: Verdict = "none"
    base_change: float = 0.0
    base_low: float = 0.0
    base_high: float = 0.0
    pass_at_8: float | None = None
    n_labelled: int = 0
    n_pairs: int = 0
    n_prompts: int = 0
    reward: str = "none"
    arch: str = "dense"
    out_tokens: int = 512


class LoopTrace(BaseModel):
    """A rule as it was tried, with what it looked at."""

    rule: str
    held: bool
    looked_at: dict[str, Any]


class Advice(BaseModel):
    """What the numbers say: `standing` in figures, `says` what follows, `word` the button. `items` questions
    are to be asked where `do` is measure; `technique` is one of the guide's where it is train."""

    rule: str
    do: Next
    technique: str
    title: str
    standing: str
    says: str
    word: str
    items: int | None
    trace: list[LoopTrace]


def advise(facts: Facts, guide: Guide | None = None) -> Advice:
    """The one thing to do next, and the rule that says so."""
    guide = guide or load()
    values = facts.model_dump()
    trace: list[LoopTrace] = []
    for rule in guide.loop.rules:
        held = rule.expression.holds(values, guide.limits)
        looked_at = {name: values[name] for name in rule.expression.looks_at}
        trace.append(LoopTrace(rule=rule.id, held=held, looked_at=looked_at))
        if held:
            return _advice(guide, rule, values, trace)
    raise LookupError("The last rule of the loop must always hold.")


def _advice(guide: Guide, rule: LoopRule, values: dict[str, Any], trace: list[LoopTrace]) -> Advice:
    technique = _member(guide, rule.technique, values)
    known = values | {"technique": guide.techniques[technique].title if technique else ""}
    asked = values[rule.items] if rule.items else None
    return Advice(
        rule=rule.id,
        do=rule.do,
        technique=technique,
        title=_fill(rule.title, guide, known),
        standing=_fill(guide.loop.standing[values["verdict"]], guide, known),
        says=_fill(rule.says, guide, known),
        word=_fill(rule.word, guide, known),
        items=asked,
        trace=trace,
    )


def _member(guide: Guide, name: str, values: dict[str, Any]) -> str:
    """The technique itself, or the member of a family that fits."""
    if name not in guide.families:
        return name
    fitting = (each for each in guide.families[name] if each.expression.holds(values, guide.limits))
    return next(fitting).technique


def _fill(template: str, guide: Guide, values: dict[str, Any]) -> str:
    def put(match: re.Match[str]) -> str:
        name = match.group(1)
        return _say(name, guide.thresholds[name].value if name in guide.thresholds else values[name])

    return _PLACE.sub(put, template)


def _say(name: str, value: Any) -> str:
    if value is None:
        return MANY if name in ("needed", "to_target") else "unknown"
    if name in SHARES:
        return words.format_share(round(value, 3))
    if name in CHANGES | ENDS:
        points = words.format_points(value)
        return f"{points} points" if name in CHANGES else points
    return words.format_number(value) if isinstance(value, int | float) else str(value)
