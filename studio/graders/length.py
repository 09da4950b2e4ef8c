"""Length: right is an answer between two lengths; past them the score falls evenly to 0."""

from typing import Literal

from pydantic import ValidationInfo, field_validator

from studio.graders.base import Case, Grader, Score
from studio.graders.reading import FinalPart, final_part
from studio.parameters import setting


class Length(FinalPart):
    unit: Literal["words", "characters", "tokens"] = setting(
        "words",
        "Counted in",
        "Tokens are known while a model trains or is evaluated, not for a text that is only tried; they "
        "include the thinking.",
        basic=True,
    )
    at_least: int = setting(1, "At least", "Shorter answers score less.", basic=True, ge=0)
    at_most: int = setting(200, "At most", "Longer answers score less.", basic=True, ge=0)
    margin: int = setting(
        50,
        "Margin",
        "That far outside, the score has fallen to 0; 0 makes a hard edge.",
        basic=True,
        ge=0,
    )

    @field_validator("at_most")
    @classmethod
    def not_below_the_least(cls, value: int, info: ValidationInfo) -> int:
        if value < info.data.get("at_least", 0):
            raise ValueError("it lies below “at least”")
        return value


def score(case: Case, parameters: Length) -> Score:
    """1 inside; 1 − distance / margin outside. None where tokens are asked for and not known."""
    length = measure(case, parameters)
    if length is None:
        return None
    outside = max(parameters.at_least - length, length - parameters.at_most, 0)
    return 1.0 if outside == 0 else max(0.0, 1 - outside / parameters.margin) if parameters.margin else 0.0


def measure(case: Case, parameters: Length) -> int | None:
    if parameters.unit == "tokens":
        return case.tokens
    text = final_part(case.answer, parameters.after).strip()
    return len(text.split()) if parameters.unit == "words" else len(text)


GRADER = Grader(
    name="length",
    title="Length",
    help="The answer is as long as it should be; outside the range the score falls evenly.",
    parameters=Length,
    each=score,
    group="Structure",
    order=50,
)
