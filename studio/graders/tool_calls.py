"""Tool calls: the right tools were called with the right arguments. The wanted calls are the row's column
`tool_calls`, a reference that is JSON with calls in it, or the calls of the last one of the row's messages.

The calls a model made are read from its generated messages or, where it writes them as text, from
<tool_call>{…}</tool_call> or from JSON. Whether a tool would have worked is not looked at."""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from studio.graders.base import VERIFIABLE, Case, Grader, Score
from studio.graders.json_fields import Fields, flat
from studio.graders.reading import NotJson, close, final_part, read_json
from studio.parameters import Parameters, setting

TAGGED = re.compile(r"<tool_call>(.*?)(?:</tool_call>|$)", re.DOTALL)


@dataclass(frozen=True)
class Call:
    name: str
    arguments: Any


class ToolCalls(Parameters):
    arguments: Literal["exact", "share", "ignore"] = setting(
        "share",
        "Arguments",
        "Share: each argument that is right counts; exact: all or none; ignore: only which tool was called.",
        basic=True,
    )
    selection: float = setting(
        0.5,
        "Weight of the choice",
        "What the right tool is worth; the rest is for its arguments.",
        basic=True,
        ge=0,
        le=1,
    )
    ordered: bool = setting(
        False, "In this order", "Calls must come in the order of the wanted ones.", basic=True
    )
    relative: float = setting(
        1e-6, "Relative tolerance", "For arguments that are numbers, a share of the wanted one.", ge=0, le=1
    )


def score(case: Case, parameters: ToolCalls) -> Score:
    """Σ credit of the calls / the larger number of calls, so that each one too many or too few costs; 1 where
    none was wanted and none made. None where the row does not say which calls are wanted."""
    wanted = wanted_calls(case)
    if wanted is None:
        return None
    given = made_calls(case)
    most = max(len(given), len(wanted))
    if most == 0:
        return 1.0
    matched = in_order if parameters.ordered else best_first
    return matched([[credit(made, right, parameters) for made in given] for right in wanted]) / most


# ---- whose calls --------------------------------------------------------------------------------------


def wanted_calls(case: Case) -> list[Call] | None:
    if (column := case.row.get("tool_calls")) is not None:
        return calls_in(column)
    reference = case.reference
    if isinstance(reference, str):
        try:
            reference = read_json(reference)
        except NotJson:
            reference = None
    if isinstance(reference, dict | list) and (found := calls_in(reference)) is not None:
        return found
    messages = case.row.get("messages")
    last = messages[-1] if isinstance(messages, list) and messages else None
    return calls_in(last["tool_calls"]) if isinstance(last, dict) and last.get("tool_calls") else None


def made_calls(case: Case) -> list[Call]:
    """The calls of every generated message; written ones where there are none."""
    messages = [message for message in case.completion if isinstance(message, dict)]
    made = [call for message in messages for call in calls_in(message.get("tool_calls") or []) or []]
    return made or written_calls(final_part(case.answer, "</think>"))


def written_calls(text: str) -> list[Call]:
    found: list[Call] = []
    for part in TAGGED.findall(text) or [text]:
        try:
            found += calls_in(read_json(part.strip(), anywhere=True)) or []
        except NotJson:
            continue
    return found


def calls_in(value: Any) -> list[Call] | None:
    """Calls in any of the usual forms; None when this is no call, nor a list of them."""
    if isinstance(value, str):
        try:
            return calls_in(orjson.loads(value))
        except orjson.JSONDecodeError:
            return None
    if isinstance(value, dict):
        if isinstance(value.get("tool_calls"), list):
            return calls_in(value["tool_calls"])
        value = [value]
    if not isinstance(value, list):
        return None
    calls = [call_of(entry) for entry in value]
    return None if None in calls else [call for call in calls if call]


def call_of(entry: Any) -> Call | None:
    function = entry.get("function", entry) if isinstance(entry, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        return None
    arguments = function.get("arguments", function.get("parameters", function.get("input")))
    if isinstance(arguments, str):
        with suppress(orjson.JSONDecodeError):  # text that is no JSON is compared as the text it is
            arguments = orjson.loads(arguments or "{}")
    return Call(function["name"], {} if arguments is None else arguments)


# ---- how right ----------------------------------------------------------------------------------------


def credit(given: Call, wanted: Call, parameters: ToolCalls) -> float:
    if given.name != wanted.name:
        return 0.0
    if parameters.arguments == "ignore":
        return 1.0
    share = right_share(flat(given.arguments), flat(wanted.arguments), parameters.relative)
    if parameters.arguments == "exact":
        share = float(share == 1)
    return parameters.selection + (1 - parameters.selection) * share


def right_share(given: Fields, wanted: Fields, relative: float) -> float:
    """Of all arguments named on either side, the share that is the same on both."""
    right = sum(path in given and same(given[path], value, relative) for path, value in wanted.items())
    return right / len(given.keys() | wanted.keys())


def same(given: Any, wanted: Any, relative: float) -> bool:
    if isinstance(given, bool) or isinstance(wanted, bool):
        return given is wanted
    if isinstance(given, int | float) and isinstance(wanted, int | float):
        return close(given, wanted, 1e-9, relative)
    return bool(given == wanted)


def in_order(credits: Sequence[Sequence[float]]) -> float:
    """The best sum over pairings in which neither side goes back."""
    best = [0.0] * (len(credits[0]) + 1) if credits else [0.0]
    for row in credits:
        before, best = best, [0.0]
        for place, worth in enumerate(row):
            best.append(max(best[place], before[place + 1], before[place] + worth))
    return best[-1]


def best_first(credits: Sequence[Sequence[float]]) -> float:
    """Pairs the best matches first; each call counts once."""
    pairs = sorted(
        (
            (worth, right, made)
            for right, row in enumerate(credits)
            for made, worth in enumerate(row)
            if worth
        ),
        reverse=True,
    )
    total, rights, mades = 0.0, set(), set()
    for worth, right, made in pairs:
        if right not in rights and made not in mades:
            total += worth
            rights.add(right)
            mades.add(made)
    return total


GRADER = Grader(
    name="tool_calls",
    title="Tool calls",
    help="The right tools were called, with the right arguments.",
    aliases=VERIFIABLE,
    parameters=ToolCalls,
    each=score,
    group="Structure",
    order=30,
    as_it_is=True,
)
