"""String check, as OpenAI's grader of that name: two templates filled from the row and the answer, compared
as texts."""

from typing import Literal

from studio.graders import templates
from studio.graders.base import VERIFIABLE, Case, Grader, Score, Scorer
from studio.parameters import Parameters, setting


class StringCheck(Parameters):
    operation: Literal["eq", "ne", "like", "ilike"] = setting(
        "eq",
        "Comparison",
        "eq: equal; ne: not equal; like: the reference occurs in the input; ilike: the same, ignoring case.",
        basic=True,
    )
    input: str = setting(
        "{{ sample.output_text }}",
        "Input",
        "A text with places: {{ sample.output_text }} is the answer, {{ item.COLUMN }} a column of the row.",
        basic=True,
        kind="words",
        max_length=100_000,
    )
    reference: str = setting(
        "{{ item.reference_answer }}",
        "Reference",
        "What the input is compared with; the same places.",
        basic=True,
        kind="words",
        max_length=100_000,
    )


COMPARE = {
    "eq": lambda given, wanted: given == wanted,
    "ne": lambda given, wanted: given != wanted,
    "like": lambda given, wanted: wanted in given,
    "ilike": lambda given, wanted: wanted.casefold() in given.casefold(),
}


def prepare(parameters: StringCheck) -> Scorer:
    templates.check(parameters.input, "input")
    templates.check(parameters.reference, "reference")
    compare = COMPARE[parameters.operation]

    def score(case: Case) -> Score:
        """None where the row lacks a named column; 0 where the answer lacks a part, such as a tool call."""
        try:
            given = templates.render(parameters.input, case)
            wanted = templates.render(parameters.reference, case)
        except templates.Missing as missing:
            return None if missing.namespace == "item" else 0.0
        return float(compare(given, wanted))

    return lambda cases: [score(case) for case in cases]


GRADER = Grader(
    name="string_check",
    title="String check (OpenAI)",
    help="Compares two texts made from the row and the answer.",
    aliases=VERIFIABLE,
    parameters=StringCheck,
    prepare=prepare,
    group="Text",
    order=80,
)
