"""Formulas over scores: right where they are arithmetic, refused where they are anything else."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.errors import StudioError
from studio.graders.arithmetic import Formula

NUMBERS = {"a": 0.5, "b": 2.0, "c": -1.0}
ATOMS = st.sampled_from(["a", "b", "c", "0.25", "3"])
FORMULAS = st.recursive(
    ATOMS,
    lambda inside: st.one_of(
        st.tuples(inside, st.sampled_from("+-*/"), inside).map(lambda parts: f"({' '.join(parts)})"),
        st.tuples(st.sampled_from(["min", "max"]), inside, inside).map(lambda p: f"{p[0]}({p[1]}, {p[2]})"),
        st.tuples(st.sampled_from(["abs", "floor", "ceil"]), inside).map(lambda p: f"{p[0]}({p[1]})"),
        inside.map(lambda part: f"-{part}"),
    ),
    max_leaves=12,
)


@given(FORMULAS)
def test_a_formula_is_worked_out_as_python_does(text: str) -> None:
    known = {"min": min, "max": max, "abs": abs, "floor": math.floor, "ceil": math.ceil}
    try:
        wanted = float(eval(text, {"__builtins__": {}}, known | NUMBERS))
    except ArithmeticError:
        assert Formula(text)(NUMBERS) is None
    else:
        assert Formula(text)(NUMBERS) == pytest.approx(wanted)


@given(FORMULAS)
def test_the_weights_of_a_weighted_sum_give_the_same(text: str) -> None:
    weights = Formula(text).weights()
    if weights is not None:
        wanted = Formula(text)(NUMBERS)
        assert sum(weight * NUMBERS[name] for name, weight in weights.items()) == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        ("0.7 * a + 0.3 * b", {"a": 0.7, "b": 0.3}),
        ("(a + b) / 2", {"a": 0.5, "b": 0.5}),
        ("a - b * 0.5", {"a": 1, "b": -0.5}),
        ("2 * (a + 3 * b) - a", {"a": 1, "b": 6}),
        ("a * b", None),
        ("a + 1", None),
        ("min(a, b)", None),
        ("1 / a", None),
        ("a / 0", None),
    ],
)
def test_only_a_weighted_sum_without_a_constant_has_weights(
    text: str, weights: dict[str, float] | None
) -> None:
    assert Formula(text).weights() == weights


@pytest.mark.parametrize(
    ("text", "value"),
    [("2 ^ 3", 8), ("a ^ 0.5 + 1", 1 + 0.5**0.5), ("pow(b, 3)", 8), ("log(exp(b))", 2), ("sqrt(b ^ 4)", 4)],
)
def test_powers_roots_and_logarithms(text: str, value: float) -> None:
    assert Formula(text)(NUMBERS) == pytest.approx(value)


@pytest.mark.parametrize(
    "text", ["1 / 0", "sqrt(c)", "log(0)", "9 ^ 9 ^ 9", "exp(1e9)", "1e999", "1e308 * 10"]
)
def test_what_has_no_finite_result_has_none(text: str) -> None:
    assert Formula(text)(NUMBERS) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a +",
        "__import__('os')",
        "a.real",
        "a if b else c",
        "[a][0]",
        "'a' * 9",
        "True",
        "min",
        "min()",
        "sqrt(1, 2)",
        "max(*a)",
        "max(a, key=b)",
        "(lambda: 1)()",
        "a == b",
        "a and b",
        "a @ b",
        "a // b",
        "1j",
        "a; b",
        "a := 1",
        "\x00",
        "(" * 400 + "a" + ")" * 400,
        "-" * 900 + "a",
        "a + " * 400 + "a",
    ],
)
def test_anything_but_arithmetic_is_refused(text: str) -> None:
    with pytest.raises(StudioError) as refused:
        Formula(text)
    assert refused.value.field == "formula"
