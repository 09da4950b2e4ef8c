"""Regular expression: right is an answer the pattern fits; with a group named, one whose group also equals
the reference. A search that takes too long is given up and says nothing."""

from collections.abc import Sequence
from typing import Literal

import regex

from studio.errors import StudioError
from studio.graders import patterns
from studio.graders.base import VERIFIABLE, Case, Grader, Score, Scorer
from studio.graders.reading import FinalPart, final_part, texts
from studio.parameters import setting


class Regex(FinalPart):
    pattern: str = setting(
        "",
        "Pattern",
        "A regular expression, as in Python.",
        basic=True,
        kind="code",
        max_length=patterns.LONGEST,
    )
    where: Literal["search", "match", "fullmatch"] = setting(
        "search",
        "Where it must fit",
        "Search: anywhere; match: from the beginning; fullmatch: the whole answer.",
        basic=True,
    )
    group: str = setting(
        "",
        "Compare this group",
        "Number or name of a group that must equal the reference. Empty: it is enough that the pattern fits.",
        basic=True,
        max_length=60,
    )
    ignore_case: bool = setting(False, "Ignore case", "Capital and small letters count as the same.")
    dot_all: bool = setting(False, "Dot fits line ends", "A dot also fits the end of a line.")


def prepare(parameters: Regex) -> Scorer:
    if not parameters.pattern:
        raise StudioError("There is no pattern.", hint="Write one, such as ^(yes|no)$.", field="pattern")
    flags = regex.IGNORECASE * parameters.ignore_case | regex.DOTALL * parameters.dot_all
    compiled = patterns.compile(parameters.pattern, flags)
    group: int | str = int(parameters.group) if parameters.group.isdecimal() else parameters.group
    if group != "" and group not in {*range(compiled.groups + 1), *compiled.groupindex}:
        raise StudioError(
            f"The pattern has no group “{group}”.",
            hint="Groups stand in parentheses and count from 1; (?P<name>…) gives one a name.",
            field="group",
        )

    def score(case: Case) -> Score:
        try:
            found = patterns.find(
                compiled, final_part(case.answer, parameters.after).strip(), parameters.where
            )
        except patterns.TooSlow:
            return None
        if group == "":
            return float(found is not None)
        wanted = texts(case.reference)
        if not wanted:
            return None
        return float(found is not None and same(found.group(group), wanted, parameters.ignore_case))

    return lambda cases: [score(case) for case in cases]


def same(given: str | None, wanted: Sequence[str], ignore_case: bool) -> bool:
    """Whether the group is one of the references; white space at both ends does not count."""
    if given is None:
        return False
    fold = str.casefold if ignore_case else str
    return fold(given.strip()) in {fold(text.strip()) for text in wanted}


GRADER = Grader(
    name="regex",
    title="Regular expression",
    help="A pattern fits the answer; a group of it can be compared with the reference.",
    aliases=VERIFIABLE,
    parameters=Regex,
    prepare=prepare,
    group="Text",
    order=30,
)
