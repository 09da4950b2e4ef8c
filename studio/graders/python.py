"""A grader people write themselves, in Python. It runs in the sandbox (`studio/sandbox/`): no network, no
files, no other programs, bounded time and memory.

Two forms are understood. `grade(sample, item)` is OpenAI's: `sample` holds `output_text`, `output_json` where
the answer is JSON, `output_tools` and `choices`; `item` the columns of the row with `reference_answer`.
Shorter is `grade(answer, reference, row)`.

The program is run afresh for every batch of answers. What it keeps in variables lasts for one batch at most,
so a run that is resumed scores as one that never stopped.
"""

from collections.abc import Sequence

from studio import sandbox
from studio.errors import StudioError
from studio.graders import templates
from studio.graders.base import Case, Grader, Score, Scorer
from studio.graders.failures import Failures
from studio.parameters import Parameters, setting
from studio.sandbox import Outcome, Result

EXAMPLE = '''\
def grade(sample, item):
    """1 for the reference answer, else 0."""
    return float(sample["output_text"].strip() == str(item["reference_answer"]).strip())
'''
OPENAI = "OpenAI, Graders guide: Python graders"


class PythonGrader(Parameters):
    source: str = setting(
        EXAMPLE,
        "Program",
        "Python with a function grade(sample, item) or grade(answer, reference, row) that returns a number. "
        "It has the standard library and nothing else.",
        basic=True,
        kind="code",
        max_length=256_000,
    )
    failed_score: float = setting(
        0.0,
        "Score of a failure",
        "What an answer gets when the program fails on it: an exception, no number, out of time or memory.",
        source=f"{OPENAI}: anything but a number counts as 0",
        allow_inf_nan=False,
    )
    seconds: float = setting(
        5.0,
        "Longest time",
        "Seconds for one answer; OpenAI's limit is 120. A program that takes longer is ended.",
        unit="s",
        gt=0,
        le=120,
    )
    memory: int = setting(
        512,
        "Largest memory",
        "What the program may take; OpenAI's limit is 2048.",
        unit="MiB",
        ge=64,
        le=16_384,
    )


class PythonScorer:
    """Scores with one program; `results` are the scores with their reasons."""

    def __init__(self, parameters: PythonGrader):
        """StudioError when this machine has no sandbox, or the program cannot be used."""
        self._failed_score = parameters.failed_score
        self.failures = Failures(
            "The Python grader", "Mend that line, or catch the exception and return the score it should give."
        )
        sandbox.require()
        limits = sandbox.Limits(seconds=parameters.seconds, memory=parameters.memory << 20)
        self._session = sandbox.Session(parameters.source, limits)
        loaded = self._session.check()
        if loaded.outcome is not Outcome.SCORE:
            raise StudioError(
                f"The Python grader cannot be used: {loaded.message}",
                hint="It needs a function grade(sample, item) that returns a number.",
                field="source",
            )

    def results(self, cases: Sequence[Case]) -> list[Result]:
        """One for each case, with the message, the line and what was printed."""
        return self._session.call([(templates.sample(case), templates.item(case)) for case in cases])

    def __call__(self, cases: Sequence[Case]) -> list[Score]:
        return [self._score(result) for result in self.results(cases)]

    def _score(self, result: Result) -> float:
        if result.score is None:
            self.failures.note(result.message)
            return self._failed_score
        self.failures.note_score()
        return result.score


def prepare(parameters: PythonGrader) -> Scorer:
    return PythonScorer(parameters)


GRADER = Grader(
    name="python",
    title="Python",
    help="A program of your own scores the answer, in a sandbox. OpenAI's Python graders work as they are.",
    parameters=PythonGrader,
    prepare=prepare,
    group="Program",
    low=None,
    high=None,
    order=300,
)
