"""Runs the Python an answer holds against the tests of its row, in the sandbox (`studio/sandbox/`).

The program is the answer's last fenced block, or all of the answer. Tests are a list of assert statements
(MBPP), or a script, of which every top-level assert and every `test_…` function counts as one test; one with
`check(candidate)` and a column `entry_point` (HumanEval) works as it is. They run in order, in one process
with the program, which they find by its names or by `import solution`.

That process belongs to the answer, and nothing an answer does reaches another answer. But a program could,
with intent, fake that its own tests passed: read some of the best answers of a run before you believe them.
"""

import json
import logging
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from studio import sandbox
from studio.graders.base import VERIFIABLE, Case, Grader, Score, Scorer
from studio.graders.failures import Failures
from studio.graders.reading import FinalPart, blocks, final_part
from studio.parameters import setting
from studio.sandbox import Guest, Outcome

CALLS_CHECK = re.compile(r"^check\(", re.MULTILINE)
DEFINES_CHECK = re.compile(r"^def check\(", re.MULTILINE)
ENOUGH = 100  # rows without tests until that is said

log = logging.getLogger("tunesmith.graders")


class UnitTests(FinalPart):
    tests: str = setting(
        "tests",
        "Column with the tests",
        "A column of the rows: a list of assert statements, or one script.",
        basic=True,
        min_length=1,
        max_length=200,
    )
    all_or_nothing: bool = setting(
        False,
        "All or nothing",
        "1 when every test passes, else 0. Off: the share of tests that pass, which gives a smoother reward.",
        basic=True,
    )
    seconds: float = setting(
        5.0,
        "Longest time",
        "Seconds for all tests of one answer; the rest then fails.",
        unit="s",
        gt=0,
        le=120,
    )
    memory: int = setting(
        512, "Largest memory", "What an answer's program may take.", unit="MiB", ge=64, le=16_384
    )


@dataclass(frozen=True)
class Report:
    """`passed` of `count` tests; `message` says what the first other one met. `count` is 0 for a row without
    tests, -1 when its tests cannot be run."""

    passed: int = 0
    count: int = 0
    message: str = ""


class UnitTestScorer:
    """Scores with the tests of each row; `report` says what happened to one answer."""

    def __init__(self, parameters: UnitTests):
        sandbox.require()
        self._parameters = parameters
        self._sandbox = sandbox.Sandbox(
            sandbox.Limits(seconds=parameters.seconds, memory=parameters.memory << 20)
        )
        self.failures = Failures("Unit tests", f"Mend the tests in the column “{parameters.tests}”.")
        self._without = 0

    def __call__(self, cases: Sequence[Case]) -> list[Score]:
        return [self._score(self.report(case)) for case in cases]

    def _score(self, report: Report) -> Score:
        if report.count < 0:
            self.failures.note(report.message)
            return None
        if report.count == 0:
            self._note_without(report.message)
            return None
        self.failures.note_score()
        share = report.passed / report.count
        return float(share == 1.0) if self._parameters.all_or_nothing else share

    def _note_without(self, message: str) -> None:
        """Rows of other kinds may have no tests; when none has any, that deserves a word."""
        self._without += 1
        if self._without == ENOUGH and not self.failures.scored:
            log.warning("Unit tests: %d rows so far, none with tests. %s", ENOUGH, message)

    def report(self, case: Case) -> Report:
        tests = tests_of(case.row, self._parameters.tests)
        if not tests:
            return Report(message=f"The row has no tests in “{self._parameters.tests}”.")
        source = program_of(final_part(case.answer, self._parameters.after))
        program = {"kind": "tests", "name": "answer", "source": source, "tests": tests}
        guest = self._sandbox.guest(program)
        try:
            return self._run(guest)
        finally:
            guest.end()

    def _run(self, guest: Guest) -> Report:
        loaded = guest.loaded
        if guest.count < 0:
            return Report(0, -1, f"The row's tests cannot be run: {loaded.message}")
        if loaded.outcome is not Outcome.SCORE:
            return Report(0, max(1, guest.count), loaded.message)
        until = time.monotonic() + self._parameters.seconds - loaded.seconds
        passed, message = 0, ""
        for number in range(guest.count):
            left = until - time.monotonic()
            if guest.used_up or left <= 0:
                break
            result = guest.ask(number, seconds=left)
            passed += result.outcome is Outcome.SCORE
            message = message or result.message
        return Report(passed, max(1, guest.count), message)


def tests_of(row: dict[str, Any], column: str) -> list[str] | str:
    """The tests of a row, also where they stand under `meta` or a list is written as JSON text. Empty:
    none."""
    meta = row.get("meta")
    found = row.get(column, meta.get(column) if isinstance(meta, dict) else None)
    if isinstance(found, str) and found.lstrip().startswith("["):
        try:
            found = json.loads(found)
        except (ValueError, RecursionError):
            return str(found)
    if isinstance(found, list):
        return [str(test) for test in found if str(test).strip()]
    script = found if isinstance(found, str) and found.strip() else ""
    entry = row.get("entry_point")
    if isinstance(entry, str) and DEFINES_CHECK.search(script) and not CALLS_CHECK.search(script):
        return f"{script}\n\ncheck({entry})\n"
    return script


def program_of(answer: str) -> str:
    """The last fenced block of Python, or all of the answer where there is none."""
    found = blocks(answer, "python", "python3", "py")
    return found[-1] if found else answer


def prepare(parameters: UnitTests) -> Scorer:
    return UnitTestScorer(parameters)


GRADER = Grader(
    name="unit_tests",
    title="Unit tests",
    help="Runs the Python in the answer against the row's tests, in a sandbox; the share that passes.",
    aliases=VERIFIABLE,
    parameters=UnitTests,
    prepare=prepare,
    group="Program",
    order=310,
)
