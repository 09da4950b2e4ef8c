"""The guide's expression language: what it computes, and everything it refuses."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.guide.document import load
from studio.guide.expressions import MAX_LENGTH, ExpressionError, compile_expression

THRESHOLDS = {"least": 10}
ANSWERS = {"n": 10, "none": None, "word": "moe", "yes": True}


def value_of(text):
    return compile_expression(text).value(ANSWERS, THRESHOLDS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("n >= T['least']", True),
        ("n > T['least']", False),
        ("n + n - 5 * 2 == 10", True),
        ("n / 4 == 2.5", True),
        ("-n < 0", True),
        ("1 < n <= 10", True),
        ("10**9", 10**9),
        ("none or 10**9", 10**9),
        ("(none or 3) <= 3", True),
        ("word in ('moe', 'dense')", True),
        ("word not in ('moe', 'dense')", False),
        ("none is None and n is not None", True),
        ("not yes", False),
        ("word == 'moe' or n", True),
        ("none >= 3", False),
        ("none < 3", False),
        ("none == 0", False),
        ("True", True),
    ],
)
def test_an_allowed_expression_gives_its_value(text, expected):
    assert value_of(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "n.real",
        "n.__class__.__mro__",
        "word.format(n)",
        "abs(n)",
        "__import__('os')",
        "__builtins__",
        "_hidden",
        "[x for x in (1, 2)]",
        "{x for x in (1, 2)}",
        "{x: x for x in (1, 2)}",
        "(x for x in (1, 2))",
        "lambda: n",
        "n if yes else 1",
        "(n := 3)",
        "f'{n}'",
        "[1, 2]",
        "{1: 2}",
        "{1, 2}",
        "(n, 1)",
        "n[0]",
        "T",
        "T[n]",
        "T[0]",
        "T['least':]",
        "T.least",
        "ANSWERS['n']",
        "*n",
        "await n",
        "(yield n)",
        "n @ n",
        "n // 2",
        "n % 2",
        "n << 99",
        "n | 1",
        "~n",
        "+n",
        "n ** 2",
        "2 ** n",
        "9 ** 9 ** 9",
        "10 ** 13",
        "2 ** -1",
        "n is 10",
        "word in 'moe'",
        "n in (n, 1)",
        "b'bytes'",
        "1j",
        "...",
        "n; n",
        "n = 3",
        "import os",
        "",
        "n >=",
        "(" * 250 + "n" + ")" * 250,
        "-" * 900 + "n",
        "not " * 200 + "n",
        "n + " * MAX_LENGTH + "n",
        "n\0",
    ],
)
def test_anything_else_is_refused_before_it_can_run(text):
    with pytest.raises(ExpressionError):
        compile_expression(text)


@pytest.mark.parametrize(
    "text", ["unheard_of > 1", "T['unheard_of'] > 1", "word > 1", "'a' * 9", "n / 0", "-word"]
)
def test_an_expression_that_cannot_be_computed_is_loud(text):
    with pytest.raises(ExpressionError):
        value_of(text)


@given(st.text(max_size=60))
def test_any_text_is_either_compiled_or_refused(text):
    with suppress(ExpressionError):
        compile_expression(text)


def test_an_expression_is_compiled_once():
    assert compile_expression("n >= 1") is compile_expression("n >= 1")


def test_an_expression_names_what_it_looks_at_and_its_conditions():
    expression = compile_expression("word == 'moe' and (n >= T['least'] or yes)")
    assert expression.names == {"word", "n", "yes"}
    assert expression.thresholds == {"least"}
    assert [part.source for part in expression.conditions] == ["word == 'moe'", "n >= T['least'] or yes"]
    assert expression.conditions[0].choice == ("word", ("moe",))


def test_splitting_a_rule_into_conditions_keeps_its_meaning():
    guide = load()
    for rule in guide.rules:
        for answers in (guide.defaults, *(guide.defaults | case["inputs"] for case in guide.cases)):
            parts = [part.holds(answers, guide.limits) for part in rule.expression.conditions]
            assert all(parts) == rule.expression.holds(answers, guide.limits), rule.id
