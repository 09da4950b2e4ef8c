"""AI judge, a model of the studio: it reads a rubric and the answer, and the score is the mean of the marks
of the scale, each weighted by how probable the judge finds it (arXiv 2303.16634, eq. 1); in a pair, how
probable it finds the answer better than the reference, averaged over both orders. Nothing is generated, so a
small model gives a graded score too. The judge behind an address is `judge_service`."""

from typing import Literal

from pydantic import ValidationInfo, field_validator

from studio.graders.base import JUDGED, Grader
from studio.graders.rubric import Rubric
from studio.parameters import setting

MOST_MARKS = 20


class Judge(Rubric):
    model: str = setting(
        "",
        "Judge",
        "The model that judges; it should be better at the task than the one that learns.",
        basic=True,
        kind="model",
    )
    mode: Literal["scale", "pair"] = setting(
        "scale",
        "Way",
        "Scale: a mark for each answer; pair: is it better than the reference, asked in both orders.",
        basic=True,
    )
    batch: int = setting(8, "Batch", "Questions the judge reads at once.", ge=1, le=256)
    longest: int = setting(
        4096, "Longest question", "Longer ones are not scored.", unit="tokens", ge=16, le=1_000_000
    )

    @field_validator("lowest", "highest")
    @classmethod
    def whole(cls, value: float) -> float:
        if not value.is_integer():
            raise ValueError("the judge chooses among whole marks")
        return value

    @field_validator("highest")
    @classmethod
    def not_too_many(cls, value: float, info: ValidationInfo) -> float:
        if value - info.data.get("lowest", value) > MOST_MARKS:
            raise ValueError(f"it may lie {MOST_MARKS} above the lowest at most")
        return value


GRADER = Grader(
    name="judge",
    title="AI judge",
    help="A model of the studio judges by a rubric.",
    aliases=JUDGED,
    parameters=Judge,
    scorer="worker.graders.judge:Judge",
    group="Model",
    order=10,
)
