"""Graders that run programs: a person's own, and the one an answer holds."""

import logging
from typing import Any

import pytest

from studio import graders
from studio.errors import StudioError
from studio.graders import choice
from studio.graders.base import Case
from studio.graders.failures import PATIENCE
from studio.graders.python import PythonGrader, PythonScorer
from studio.graders.unit_tests import UnitTests, UnitTestScorer, program_of
from studio.sandbox import Outcome

PICKY = """
import json

def grade(sample, item):
    return json.loads(sample["output_text"])["dose"] == item["dose"]
"""


def test_the_example_works_as_it_is() -> None:
    assert graders.score("python", " four ", "four") == 1.0
    assert graders.score("python", "five", "four") == 0.0


def test_a_program_of_openais_sees_text_json_tools_and_row() -> None:
    source = """
def grade(sample, item) -> float:
    call = sample["output_tools"][0]["function"]
    message = sample["choices"][0]["message"]
    return (
        (sample["output_json"]["dose"] == 2)
        + (call == {"name": "look_up", "arguments": '{"drug": "aspirin"}'})
        + (message["tool_calls"] == sample["output_tools"])
        + (item["reference_answer"] == {"dose": 2})
        + (item["slice"] == "hard")
        + (item["messages"][0]["content"] == "How much?")
    )
"""
    made = {"type": "function", "function": {"name": "look_up", "arguments": {"drug": "aspirin"}}}
    case = Case(
        answer='{"dose": 2}',
        reference={"dose": 2},
        row={"slice": "hard", "reference_answer": {"dose": 2}},
        messages=[{"role": "user", "content": "How much?"}],
        completion=[{"role": "assistant", "content": '{"dose": 2}', "tool_calls": [made]}],
    )
    assert PythonScorer(PythonGrader(source=source))([case]) == [6.0]


def test_an_answer_the_program_fails_on_gets_the_score_of_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    scorer = PythonScorer(PythonGrader(source=PICKY, failed_score=-1.0))
    cases = [Case('{"dose": 2}', row={"dose": 2}), Case("two", row={"dose": 2}), Case("{}", row={"dose": 2})]
    with caplog.at_level(logging.WARNING, "tunesmith.graders"):
        assert scorer(cases) == [1.0, -1.0, -1.0]
    assert (scorer.failures.scored, scorer.failures.failed) == (1, 2)
    assert "line 5" in caplog.messages[0]
    assert "KeyError: 'dose'" in caplog.messages[1]
    results = scorer.results(cases)
    assert [result.outcome for result in results] == [Outcome.SCORE, Outcome.ERROR, Outcome.ERROR]
    assert results[1].line == 5


def test_a_program_that_fails_on_every_answer_ends_the_run_and_says_where() -> None:
    scorer = PythonScorer(PythonGrader(source=PICKY))
    assert scorer([Case("two")] * (PATIENCE - 1)) == [0.0] * (PATIENCE - 1)
    with pytest.raises(
        StudioError, match=r"each of the first 16 answers.*line 5.*JSONDecodeError"
    ) as problem:
        scorer([Case("two")])
    assert "catch the exception" in problem.value.hint


def test_once_it_has_scored_no_number_of_failures_ends_the_run() -> None:
    scorer = PythonScorer(PythonGrader(source=PICKY))
    scorer([Case('{"dose": 2}', row={"dose": 2})])
    assert scorer([Case("two")] * 50) == [0.0] * 50


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def grade(sample, item)\n    return 1", "line 1.*SyntaxError"),
        (
            "import numpy\n\ndef grade(sample, item):\n    return 1",
            "line 1.*standard library and nothing else",
        ),
        ("def score(sample, item):\n    return 1", "there is no function “grade”"),
        ("def grade():\n    return 1", "grade takes 0 arguments"),
        ("while True:\n    pass", "still running after 0.5 s"),
    ],
)
def test_a_program_that_cannot_work_is_refused_before_the_run(source: str, message: str) -> None:
    chosen = choice.GraderChoice(grader="python", parameters={"source": source, "seconds": 0.5})
    with pytest.raises(StudioError, match=message) as problem:
        choice.checked([chosen])
    assert problem.value.field == "source"


def test_without_a_sandbox_programs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    for name in ("python", "unit_tests"):
        with pytest.raises(StudioError, match="bubblewrap is not installed"):
            graders.score(name, "x")


# ---- unit tests -------------------------------------------------------------------------------------------

ADD = "Like this:\n```python\ndef add(a, b):\n    return a + b\n```\nIt adds."
TESTS = ["assert add(1, 2) == 3", "assert add(2, 2) == 5", "assert add(-1, 1) == 0"]


def report(answer: str, tests: Any, seconds: float = 5.0, **row: Any) -> tuple[int, int, str]:
    found = UnitTestScorer(UnitTests(seconds=seconds)).report(Case(answer, row={"tests": tests, **row}))
    return found.passed, found.count, found.message


FUNCTIONS = """
from solution import add

def test_right():
    assert add(1, 1) == 2

def test_wrong():
    add()
"""
TEST_CASE = """
import unittest

class Adding(unittest.TestCase):
    def setUp(self):
        self.wanted = 2

    def test_right(self):
        self.assertEqual(add(1, 1), self.wanted)
"""
CHECK = """
METADATA = {}

def check(candidate):
    assert candidate(1, 2) == 3
"""


@pytest.mark.parametrize(
    ("tests", "passed", "count"),
    [
        (TESTS, 2, 3),
        ('["assert add(1, 2) == 3", "assert add(1, 1) == 3"]', 1, 2),
        ("import math\nwanted = math.floor(3.5)\nassert add(1, 2) == wanted\nassert add(0, 0) == 1", 1, 2),
        (FUNCTIONS, 1, 2),
        (TEST_CASE, 1, 1),
        (f"{CHECK}\ncheck(add)", 1, 1),
        ("assert add(1, 2) == 3\nprint(add(1))", 1, 2),
    ],
)
def test_tests_are_lists_scripts_functions_or_test_cases(tests: Any, passed: int, count: int) -> None:
    assert report(ADD, tests)[:2] == (passed, count)


def test_the_check_function_of_a_row_is_called_with_its_entry_point() -> None:
    assert report(ADD, CHECK, entry_point="add") == (1, 1, "")
    assert report(ADD, CHECK.replace("== 3", "== 4"), entry_point="add")[:2] == (0, 1)
    assert report(ADD, CHECK)[1] == -1, "nothing calls it"


def test_a_failing_test_is_quoted() -> None:
    assert report(ADD, TESTS)[2] == "test 2 line 1, “assert add(2, 2) == 5”: AssertionError."


@pytest.mark.parametrize(
    "answer",
    [
        "I cannot write programs.",
        "```python\ndef add(a, b):\n    return a +\n```",
        "```python\nimport os\nos._exit(0)\n```",
        "```python\nimport sys\nsys.exit(0)\n```",
        "```python\nimport os\n\ndef add(a, b):\n    os._exit(0)\n```",
        "```python\ndef add(a, b):\n    raise SystemExit(0)\n```",
        "```python\nimport socket\nsocket.create_connection(('127.0.0.1', 80))\n```",
        "```python\nfrom shutil import rmtree\nrmtree('/python')\n```",
        "```python\nkept = [bytes(1 << 20) for _ in range(10_000)]\n```",
    ],
)
def test_an_answer_that_breaks_passes_nothing(answer: str) -> None:
    passed, count, message = report(answer, TESTS)
    assert (passed, bool(count)) == (0, True)
    assert message


def test_an_answer_that_never_ends_costs_its_seconds_once_and_keeps_what_had_passed() -> None:
    answer = "```python\ndef add(a, b):\n    while a == 2:\n        pass\n    return a + b\n```"
    passed, count, message = report(answer, TESTS * 10, seconds=0.5)
    assert (passed, count) == (1, 30)
    assert "still running" in message


def test_one_answer_cannot_reach_the_next() -> None:
    vandal = "```python\nimport builtins\nbuiltins.len = None\nopen('left', 'w').close()\n```"
    looks = "```python\nimport os\n\ndef add(a, b):\n    return len(os.listdir('.')) + a + b\n```"
    score = UnitTestScorer(UnitTests())
    rows = [Case(answer, row={"tests": TESTS[:1]}) for answer in (vandal, looks)]
    assert score(rows) == [0.0, 1.0]


def test_the_score_is_the_share_that_passes_or_all_or_nothing() -> None:
    case = Case(ADD, row={"tests": TESTS})
    assert UnitTestScorer(UnitTests())([case]) == [pytest.approx(2 / 3)]
    assert UnitTestScorer(UnitTests(all_or_nothing=True))([case]) == [0.0]
    assert UnitTestScorer(UnitTests(all_or_nothing=True))([Case(ADD, row={"tests": TESTS[:1]})]) == [1.0]


def test_rows_without_tests_are_left_out_and_it_is_said_when_no_row_has_any(
    caplog: pytest.LogCaptureFixture,
) -> None:
    score = UnitTestScorer(UnitTests(tests="checks"))
    with caplog.at_level(logging.WARNING, "tunesmith.graders"):
        assert score([Case(ADD, row={"tests": TESTS}), Case(ADD, row={"checks": []})] * 50) == [None] * 100
    (said,) = caplog.messages
    assert "none with tests" in said
    assert score([Case(ADD, row={"checks": TESTS[0]})]) == [1.0]


def test_tests_that_cannot_be_run_are_no_fault_of_the_answer_and_end_a_run_that_has_no_others() -> None:
    score = UnitTestScorer(UnitTests())
    broken = [Case(ADD, row={"tests": tests}) for tests in ("assert (", ["def"], "def helper():\n    pass")]
    assert score(broken) == [None] * 3
    with pytest.raises(StudioError, match=r"tests cannot be run: tests line 1.*SyntaxError") as problem:
        score(broken[:1] * PATIENCE)
    assert "“tests”" in problem.value.hint


def test_tests_may_stand_among_the_further_columns_of_a_row() -> None:
    case = Case(ADD, row={"meta": {"tests": TESTS[:1]}})
    assert UnitTestScorer(UnitTests())([case]) == [1.0]


def test_the_program_is_the_last_block_or_the_whole_answer() -> None:
    assert program_of("x = 1") == "x = 1"
    assert program_of("```python\nx = 1\n```\nbetter:\n```py\nx = 2\n```") == "x = 2\n"
    assert program_of("```\nx = 1\n```") == "x = 1\n"
    assert program_of("cut off:\n```python\nx = 1\ny =") == "x = 1\ny ="
    thought = "<think>```python\nx = 1\n```</think>" + ADD
    assert report(thought, TESTS[:1])[:2] == (1, 1)
