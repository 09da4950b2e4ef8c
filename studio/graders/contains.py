"""Contains: right is an answer in which words occur that must, and none that must not."""

import re
from typing import Literal

from studio.graders.base import VERIFIABLE, Case, Grader, Score
from studio.graders.reading import FinalPart, final_part, texts
from studio.parameters import setting


class Contains(FinalPart):
    phrases: list[str] = setting(
        [],
        "Must occur",
        "Words or phrases, one a line. None: the reference, or each entry of a reference that is a list.",
        basic=True,
        kind="words",
        max_length=200,
    )
    need: Literal["all", "any", "share"] = setting(
        "all", "How many of them", "All, any one, or the share of them that occurs as the score.", basic=True
    )
    absent: list[str] = setting(
        [],
        "Must not occur",
        "Words or phrases, one a line; one of them makes the score 0.",
        basic=True,
        kind="words",
        max_length=200,
    )
    ignore_case: bool = setting(True, "Ignore case", "Capital and small letters count as the same.")
    whole_words: bool = setting(False, "Whole words", "“art” does not occur in “party”.", basic=True)


def score(case: Case, parameters: Contains) -> Score:
    """None where neither the settings nor the row say what must or must not occur."""
    text = final_part(case.answer, parameters.after)
    wanted = [phrase for phrase in parameters.phrases if phrase.strip()] or texts(case.reference)
    if not wanted and not parameters.absent:
        return None
    if any(occurs(phrase, text, parameters) for phrase in parameters.absent if phrase.strip()):
        return 0.0
    found = [occurs(phrase, text, parameters) for phrase in wanted]
    if parameters.need == "share":
        return sum(found) / len(found) if found else 1.0
    return float(any(found) if parameters.need == "any" and found else all(found))


def occurs(phrase: str, text: str, parameters: Contains) -> bool:
    phrase = phrase.strip()
    if parameters.whole_words:
        flags = re.IGNORECASE if parameters.ignore_case else 0
        return re.search(rf"(?<!\w){re.escape(phrase)}(?!\w)", text, flags) is not None
    if parameters.ignore_case:
        return phrase.casefold() in text.casefold()
    return phrase in text


GRADER = Grader(
    name="contains",
    title="Contains",
    help="Words that must occur do, and words that must not do not.",
    aliases=VERIFIABLE,
    parameters=Contains,
    each=score,
    group="Text",
    order=25,
)
