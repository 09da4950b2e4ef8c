"""Turns conditions of the guide into sentences with the person's own numbers.

Templates come from `guide.json`: a field's `met`/`unmet` for choices, its `noun` for counts, and `conditions`
for the rest. A condition without words is a hole in the data and raises; a test looks for such holes.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from studio.guide.document import Guide
from studio.guide.expressions import Expression

_PLACE = re.compile(r"\{(\w+)\}")
Values = Mapping[str, Any]  # answers, and where a template speaks of them the outcome's names


def format_number(value: float) -> str:
    """1234567 as 1,234,567; 12.50 as 12.5; 0.0003 stays."""
    if float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:,.6f}".rstrip("0").rstrip(".") if abs(value) >= 0.000001 else f"{value:g}"


def format_share(value: float) -> str:
    """0.82 as 82%; 0.8225 as 82.25%, so that two different figures never look the same."""
    return f"{format_number(round(value * 100, 6))}%"


def format_points(value: float) -> str:
    """A change of a share in points of a hundred, with its sign: 0.723 as +72.3, −0.003 as −0.3."""
    points = round(100 * value, 1)
    return f"{'+' if points > 0 else '−' if points < 0 else ''}{abs(points):g}"


def format_answer(guide: Guide, field: str, value: Any) -> str:
    """An answer as sentences say it: "1,000", "82%", "300 ms", "tone, style or safety", "no time limit"."""
    question = guide.fields[field]
    if value is None:
        return question.none
    if question.kind == "choice":
        return question.phrases[value]
    if question.kind == "yes_no":
        return "yes" if value else "no"
    if question.kind == "share":
        return format_share(value)
    return format_number(value) + question.unit


def fill(template: str, guide: Guide, values: Values) -> str:
    """Fills {field}, {threshold} and {outcome name} into a template of the guide."""

    def put(match: re.Match[str]) -> str:
        name = match.group(1)
        if name in guide.fields:
            return format_answer(guide, name, values[name])
        if name in guide.thresholds:
            return format_number(guide.thresholds[name].value)
        value = values[name]
        return format_number(value) if isinstance(value, int | float) else str(value)

    return _PLACE.sub(put, template)


def say_met(guide: Guide, condition: Expression, values: Values) -> str:
    """Why a condition holds, as a sentence; empty where it says nothing of interest."""
    if condition.choice:
        field, _ = condition.choice
        return guide.fields[field].met.replace("{given}", format_answer(guide, field, values[field]))
    words = _words(guide, condition)
    return fill(words[0], guide, values) if words else ""


def say_unmet(guide: Guide, condition: Expression, values: Values) -> tuple[str, str]:
    """Why a condition fails: ("needs 1,000 preference pairs", "you have 320")."""
    if condition.choice:
        field, wanted = condition.choice
        return say_wrong_choice(guide, field, wanted, values)
    words = _words(guide, condition)
    if words is None:
        raise LookupError(f"guide.json has no words for the condition {condition.source!r}.")
    _, needed, present = words
    return fill(needed, guide, values), fill(present, guide, values)


def say_wrong_choice(guide: Guide, field: str, wanted: Iterable[Any], values: Values) -> tuple[str, str]:
    """("is for tone, style or safety", "you said the problem is wrong results on the task")."""
    question = guide.fields[field]
    if question.unmet is None:
        raise LookupError(f"guide.json has no words for choosing {field!r}.")
    needed, present = question.unmet
    phrases = [question.phrases[value] for value in dict.fromkeys(wanted)]
    either = ", for ".join(phrases[:-1]) + " or for " + phrases[-1] if len(phrases) > 1 else phrases[0]
    given = format_answer(guide, field, values[field])
    return needed.replace("{wanted}", either), present.replace("{given}", given)


def noun_of(guide: Guide, condition: Expression) -> str:
    """What a `… >= T[…]` condition counts: "preference pairs"."""
    if condition.source in guide.conditions:
        return guide.conditions[condition.source].noun
    return guide.fields[next(iter(condition.names))].noun


def _words(guide: Guide, condition: Expression) -> tuple[str, str, str] | None:
    """Templates (met, what is needed, what there is); None where the guide has none."""
    written = guide.conditions.get(condition.source)
    if written is not None:
        return written.met, *written.unmet
    if condition.floor is None or len(condition.names) != 1:
        return None
    field, threshold = next(iter(condition.names)), condition.floor[1]
    question = guide.fields[field]
    needed = f"{format_number(guide.thresholds[threshold].value)}{question.unit}"
    return (
        f"You have {{{field}}} {question.noun}; at least {needed} are needed.",
        f"needs {needed} {question.noun}",
        f"you have {{{field}}}",
    )
