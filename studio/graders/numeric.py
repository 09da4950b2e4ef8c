"""Numeric: right is a number near enough to the reference. Finds the number in an answer with its working:
in the last `\\boxed{…}`, after a mark such as `####`, or the last one there is. It does not calculate, except
for fractions; a percent sign or one of degrees does not change a number."""

import math
import re
from typing import Any, Literal

from studio.graders.base import VERIFIABLE, Case, Grader, Score
from studio.graders.reading import FinalPart, close, final_part
from studio.parameters import setting

DIGITS = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+"
ONE = rf"[-+]?(?:{DIGITS})(?:[eE][-+]?\d{{1,4}})?"
NUMBER = re.compile(rf"(?<![\w.])({ONE})(?:\s?/\s?({ONE})(?![\d/]))?")
IN_BRACES = r"\s*\{\s*([-+]?[\d.,]+)\s*\}"
# After a digit it is a mixed number, which is not read.
LATEX_FRACTION = re.compile(rf"(?<!\d)(?<!\d )(?:([-+])\s*)?\\[dt]?frac{IN_BRACES}{IN_BRACES}")
DEGREES = re.compile(r"\^(?:\\circ|\{\\circ\})")
CALCULATED = re.compile(r"\^|\\sqrt|\\[dt]?frac")  # what it comes to is none of the numbers in it
DRESSING = re.compile(r"\\text\s*\{[^{}]*\}|\\[,;!$%]|\{,\}|[$€£¥%\s]")


class Numeric(FinalPart):
    absolute: float = setting(
        1e-9,
        "Tolerance",
        "Largest difference from the reference that is still right.",
        basic=True,
        ge=0,
        allow_inf_nan=False,
    )
    relative: float = setting(
        1e-6,
        "Relative tolerance",
        "The same as a share of the reference; the larger of both tolerances counts.",
        basic=True,
        ge=0,
        le=1,
    )
    find: Literal["auto", "last", "boxed", "mark", "whole"] = setting(
        "auto",
        "Where the number stands",
        "Auto looks for \\boxed{…}, then for the mark, then takes the last number; whole wants nothing else "
        "in the answer.",
        basic=True,
    )
    mark: str = setting(
        "####", "Mark", "The number is the first one after the last of these.", source="GSM8K", max_length=100
    )
    decimal: Literal["point", "comma"] = setting(
        "point", "Decimal mark", "With comma, 1.234,5 is read as one thousand two hundred and so on."
    )


def score(case: Case, parameters: Numeric) -> Score:
    """1 within the tolerance, else 0; None where the reference holds no number."""
    wanted = number_in(case.reference, parameters, "auto")
    if wanted is None:
        return None
    given = number_in(final_part(case.answer, parameters.after), parameters, parameters.find)
    if given is None:
        return 0.0
    return float(close(given, wanted, parameters.absolute, parameters.relative))


def number_in(value: Any, parameters: Numeric, find: str) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if not isinstance(value, str):
        return as_float(value)
    text = DEGREES.sub("", value.replace("−", "-"))
    if parameters.decimal == "comma":
        text = text.translate(str.maketrans(",.", ".,"))
    text = LATEX_FRACTION.sub(r" \1\2/\3", text)
    if find in ("auto", "boxed") and (inside := boxed(text)) is not None:
        whole = parse(inside)
        return first_or_last(inside) if whole is None and not CALCULATED.search(inside) else whole
    _, marked, rest = text.rpartition(parameters.mark) if parameters.mark else ("", "", "")
    if find in ("auto", "mark") and marked:
        return first_or_last(rest, first=True)
    if find == "whole" or (find == "auto" and parse(text) is not None):
        return parse(text)
    return first_or_last(text) if find in ("auto", "last") else None


def boxed(text: str) -> str | None:
    """What stands in the last `\\boxed{…}`, braces inside it included."""
    start = text.rfind("\\boxed{")
    if start < 0:
        return None
    depth = 0
    for place in range(start + len("\\boxed"), len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return text[start + len("\\boxed{") : place]
    return None


def parse(text: str) -> float | None:
    """A text that is one number, perhaps a fraction, perhaps dressed in TeX or with a currency."""
    found = NUMBER.fullmatch(DRESSING.sub("", text.strip().rstrip(".")))
    return quotient(*found.groups()) if found else None


def first_or_last(text: str, *, first: bool = False) -> float | None:
    """None where there is none, or where that number stands in a root or is a power."""
    found = list(NUMBER.finditer(text))
    if not found:
        return None
    number = found[0 if first else -1]
    if text[: number.start()].rstrip(" {").endswith(("^", "\\sqrt")):
        return None
    return quotient(*number.groups())


def quotient(above: str, below: str | None) -> float | None:
    top, bottom = as_float(above.replace(",", "")), as_float((below or "1").replace(",", ""))
    return as_float(top / bottom) if top is not None and bottom else None


def as_float(value: Any) -> float | None:
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


GRADER = Grader(
    name="numeric",
    title="Number",
    help="The number in the answer equals the reference, within a tolerance.",
    aliases=VERIFIABLE,
    parameters=Numeric,
    each=score,
    group="Text",
    order=20,
    as_it_is=True,
)
