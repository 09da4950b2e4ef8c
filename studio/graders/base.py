"""What a grader is, and what it is asked. A grader scores answers; in reinforcement learning its score is the
reward, in an evaluation the metric."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from studio.parameters import NoParameters, Parameters


@dataclass(frozen=True)
class Case:
    """One answer to be scored, with everything known about its question.

    `reference` is the row's `reference_answer`, a text or a JSON value; `messages` the whole prompt and
    `prompt` its last words; `row` the row's columns; `completion` the generated messages, with `tool_calls`
    where the model made some; `tokens` the length of the answer where it is known."""

    answer: str
    reference: Any = ""
    prompt: str = ""
    messages: Sequence[dict[str, Any]] = ()
    row: dict[str, Any] = field(default_factory=dict)
    completion: Sequence[dict[str, Any]] = ()
    tokens: int | None = None
    truncated: bool = False


# What training with such graders is called.
VERIFIABLE = ("rlvr", "verifiable reward")
JUDGED = ("rlaif", "ai feedback", "llm as a judge")

Score = float | None
"""None: this grader has nothing to say about this row."""

Scorer = Callable[[Sequence[Case]], list[Score]]


@dataclass(frozen=True)
class Grader:
    """One way to score. Exactly one of `each`, `prepare` and `scorer` is given: a function of one case; a
    function of the parameters that checks them (StudioError) and returns a scorer of many cases; or the name
    of a class only the worker can load, because it needs torch (`"worker.graders.judge:Judge"`).

    Scores lie between `low` and `high`; None leaves that end open. `aliases` are other words by which people
    look for it. `as_it_is`: its defaults measure something on any rows with a reference answer."""

    name: str
    title: str
    help: str
    aliases: tuple[str, ...] = ()
    parameters: type[Parameters] = NoParameters
    each: Callable[[Case, Any], Score] | None = None
    prepare: Callable[[Any], Scorer] | None = None
    scorer: str = ""
    group: str = "Text"
    low: float | None = 0.0
    high: float | None = 1.0
    order: int = 100
    as_it_is: bool = False

    def ready(self, parameters: Parameters) -> Scorer:
        """A scorer of many cases with these parameters. Not for those that need the worker."""
        if self.prepare is not None:
            return self.prepare(parameters)
        if self.each is None:
            raise TypeError(f"{self.name} is scored by the worker only")
        one = self.each
        return lambda cases: [one(case, parameters) for case in cases]
