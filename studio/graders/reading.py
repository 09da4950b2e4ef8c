"""What graders read out of an answer: the part that counts, a JSON value, words. Scores nothing."""

import json
import math
import re
from typing import Annotated, Any, Literal

import orjson
from pydantic import BeforeValidator

from studio.parameters import Parameters, setting

MOST_STARTS = 200  # places where a JSON value may begin that are tried in one answer
# Code within a line is passed over. The end is lacking when the answer ran into its length limit.
FENCE = re.compile(r"```[^`\n]+```|```[ \t]*([^\s`]*)[^`\n]*\n(.*?)(?:```|\Z)", re.DOTALL)
# Scripts written without spaces have one word a character.
UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\u0e00-\u0e7f"
WORD = re.compile(rf"[{UNSPACED}]|[^\W_{UNSPACED}]+")


class FinalPart(Parameters):
    """Shared by graders that read what the model says in the end, not what it thought on the way."""

    after: str = setting(
        "</think>",
        "Only what follows",
        "Only what stands after the last of these marks counts; an answer without the mark counts whole. "
        "Empty: always the whole answer.",
        max_length=100,
    )


def final_part(answer: str, mark: str) -> str:
    """What follows the last `mark`. A thought that was opened and never closed is no answer."""
    if not mark:
        return answer
    _, found, rest = answer.rpartition(mark)
    if found:
        return rest
    return answer.partition("<" + mark[2:])[0] if mark.startswith("</") else answer


def blocks(text: str, *languages: str) -> list[str]:
    """What stands in the fenced blocks of one of these languages, or of none that is named."""
    wanted = {"", *languages}
    found = [match for match in FENCE.finditer(text) if match[2] is not None]
    return [match[2] for match in found if match[1].lower() in wanted]


# ---- JSON ---------------------------------------------------------------------------------------------


class FinalJson(FinalPart):
    """Shared by graders that read a JSON value."""

    find: Literal["whole", "anywhere"] = setting(
        "whole",
        "Where the JSON stands",
        "Whole: the answer is JSON and nothing else; anywhere: in a fenced block, or its longest value.",
        basic=True,
    )


def read_final(answer: str, parameters: FinalJson) -> Any:
    """The JSON value the answer ends in. Raises NotJson."""
    return read_json(final_part(answer, parameters.after), parameters.find == "anywhere")


class NotJson(ValueError):
    """There is no JSON value where one was looked for."""


def read_json(text: str, anywhere: bool = False) -> Any:
    """The JSON value `text` is; with `anywhere`, else the one in its last fenced block, else the longest
    object or array in it. Raises NotJson. Infinity and NaN are no JSON."""
    for part in [text, *(blocks(text, "json")[-1:] if anywhere else [])]:
        try:
            return orjson.loads(part)
        except orjson.JSONDecodeError:
            continue
    if anywhere and (found := _longest(text)) is not None:
        return found
    raise NotJson


def _longest(text: str) -> Any:
    decoder = json.JSONDecoder(parse_constant=_refuse)
    best, length, place = None, 0, 0
    for _ in range(MOST_STARTS):
        start = _next_start(text, place)
        if start < 0:
            break
        place = start + 1
        try:
            value, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            continue
        if end - start > length:
            best, length = value, end - start
        place = end
    return best


def _next_start(text: str, place: int) -> int:
    starts = [at for at in (text.find("{", place), text.find("[", place)) if at >= 0]
    return min(starts, default=-1)


def _refuse(name: str) -> float:
    raise NotJson(name)


def _json_text(value: Any) -> Any:
    """A setting given as a value is kept as its text."""
    if isinstance(value, str):
        text = value.strip()
        try:
            orjson.loads(text or "null")
        except orjson.JSONDecodeError as problem:
            raise ValueError(f"this is no JSON: {problem.msg}, line {problem.lineno}") from None
        return text
    return json.dumps(value, ensure_ascii=False)


JsonText = Annotated[str, BeforeValidator(_json_text)]
"""A setting that holds a JSON value as text; empty is allowed and means: none."""


def as_text(value: Any) -> str:
    """A text as it is, any other value as JSON, the way models write it: a blank after commas and colons."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def texts(value: Any) -> list[str]:
    """The reference as a list of texts: one that is a list has several."""
    values = value if isinstance(value, list) else [value]
    return [text for text in map(as_text, values) if text.strip()]


# ---- words and numbers --------------------------------------------------------------------------------


def words(text: str) -> list[str]:
    """Lower-case words of letters and digits, of any script."""
    return WORD.findall(text.lower())


def close(given: float, wanted: float, absolute: float, relative: float) -> bool:
    """|given − wanted| ≤ max(absolute, relative · |wanted|)."""
    if not (math.isfinite(given) and math.isfinite(wanted)):
        return False
    return abs(given - wanted) <= max(absolute, relative * abs(wanted))
