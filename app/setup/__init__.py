"""What the form of a new run holds until Start: a draft of choices.

Of the settings only those are kept that differ from the recommendation, so that a change of model, adapter or
technique brings new recommended values and keeps what the person set themselves. What follows from a setup is
in `plan`, what can be chosen in `offers`, how an edit changes it in `edits`, where it begins in `beginning`.
"""

from typing import Any

from pydantic import BaseModel, Field, model_validator
from sqlalchemy.orm import Session

from studio import drafts
from studio.graders.choice import GraderChoice

Typed = int | float | str | None
"""What stands in the input of a number: the number, or the text that is none yet."""


class Grading(BaseModel):
    """One grader of the draft, with those of its settings that are not the grader's own."""

    grader: str
    name: str = ""
    weight: Typed = 1.0
    parameters: dict[str, Any] = Field(default_factory=dict)

    @classmethod
    def of(cls, choice: GraderChoice) -> "Grading":
        return cls.model_validate(choice.model_dump(mode="json"))


class Several(BaseModel):
    """What a sweep tries of one setting: values as they were typed, or the ends of a range."""

    values: str = ""
    low: str = ""
    high: str = ""
    log: bool = True
    picked: list[str] = Field(default_factory=list)


class Sweep(BaseModel):
    """The settings of which several values are tried; none: a single run."""

    method: str = "grid"
    count: str = "8"
    fields: dict[str, Several] = Field(default_factory=dict)


class Chain(BaseModel):
    """What runs before this one learn: a reward from `pairs`, and before that answers from `examples`. Both
    are versions of datasets; without `pairs` it is a single run."""

    pairs: str = ""
    examples: str = ""


class Traced(BaseModel):
    """A trace of the memory (`app.setup.tracing`), and a mark of what it was made for."""

    of: str
    found: dict[str, Any]


class Setup(BaseModel):
    """`parameters` and `adapter_parameters` hold what the person changed; texts that are no number yet stay
    texts. `problem` is the last refusal; `clone` and `origin` name the run this began as or goes on from,
    `fix` the finding of the doctor that the clone mends. `grader_keys` names the graders for the page, one
    each, however they are ordered."""

    technique: str = ""
    adapter: str = ""
    model: str = ""
    dataset: str = ""
    held_out: str = ""
    name: str = ""
    seed: Typed = 42
    inputs: dict[str, str] = Field(default_factory=dict)
    parameters: dict[str, Any] = Field(default_factory=dict)
    adapter_parameters: dict[str, Any] = Field(default_factory=dict)
    graders: list[Grading] = Field(default_factory=list)
    grader_keys: list[str] = Field(default_factory=list)
    sweep: Sweep = Field(default_factory=Sweep)
    chain: Chain = Field(default_factory=Chain)
    recommendation: int | None = None
    clone: int | None = None
    fix: str = ""
    origin: int | None = None
    gpus: int = 1
    priority: int = 0
    project: int | None = None
    tags: list[str] = Field(default_factory=list)
    problem: dict[str, str] = Field(default_factory=dict)
    traced: Traced | None = None

    @model_validator(mode="after")
    def _every_grader_has_a_key(self) -> "Setup":
        while len(self.grader_keys) < len(self.graders):
            self.grader_keys.append(self.free_key())
        del self.grader_keys[len(self.graders) :]
        return self

    def free_key(self) -> str:
        number = max((int(key[1:]) for key in self.grader_keys), default=0) + 1
        return f"g{number}"

    def add_grader(self, given: Grading) -> None:
        key = self.free_key()
        self.graders.append(given)
        self.grader_keys.append(key)

    def keyed(self) -> list[tuple[str, Grading]]:
        return list(zip(self.grader_keys, self.graders, strict=True))


def put(session: Session, key: str, setup: Setup) -> None:
    drafts.put(session, key, setup.model_dump(mode="json"))
