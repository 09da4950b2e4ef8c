"""Soft overlong punishment (DAPO, arXiv 2503.14476, eq. 13): nothing for answers that keep a distance from
the length limit, then less and less, and −1 at the limit. It tells long-winded from wrong, which cutting
alone does not."""

from pydantic import ValidationInfo, field_validator

from studio.graders.base import Case, Grader, Score
from studio.parameters import Parameters, setting


class SoftOverlong(Parameters):
    longest: int = setting(
        256,
        "Longest answer",
        "The most tokens an answer may have: the same number as the run's own limit.",
        source="TRL's max_completion_length",
        basic=True,
        unit="tokens",
        ge=1,
    )
    cache: int = setting(
        51,
        "Soft part",
        "Within that many tokens of the limit the punishment grows from 0 to 1.",
        source="a fifth of the limit, as in the paper: 4,096 of 20,480",
        basic=True,
        unit="tokens",
        ge=1,
    )

    @field_validator("cache")
    @classmethod
    def not_above_the_longest(cls, value: int, info: ValidationInfo) -> int:
        if value > info.data.get("longest", value):
            raise ValueError("it is larger than the longest answer")
        return value


def score(case: Case, parameters: SoftOverlong) -> Score:
    """0 up to L_max − L_cache; (L_max − L_cache − |y|) / L_cache up to L_max; −1 beyond it or when the answer
    was cut. None where the number of tokens is not known."""
    if case.truncated:
        return -1.0
    if case.tokens is None:
        return None
    free = parameters.longest - parameters.cache
    return max(-1.0, min(0.0, (free - case.tokens) / parameters.cache))


GRADER = Grader(
    name="soft_overlong",
    title="Soft overlong punishment",
    help="Takes up to 1 off for answers that come near the length limit.",
    parameters=SoftOverlong,
    each=score,
    group="Structure",
    low=-1.0,
    high=0.0,
    order=55,
)
