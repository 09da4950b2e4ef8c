"""Reads a formula over scores, such as `0.7 * right + 0.3 * min(short, 1)`, and works it out. Only numbers,
names, + - * / ^ and the functions below; nothing in it is run as code."""

import ast
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

from studio.errors import StudioError

LONGEST = 1000  # characters
DEEPEST = 100  # operations in operations
OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: math.pow,  # of floats, so that 9^9^9 overflows instead of filling the memory
}
FUNCTIONS: dict[str, Callable[..., float]] = {
    "min": min,
    "max": max,
    "abs": abs,
    "floor": math.floor,
    "ceil": math.ceil,
    "exp": math.exp,
    "sqrt": math.sqrt,
    "log": math.log,
    "pow": math.pow,
}
COUNTS = {"min": (1, 50), "max": (1, 50), "log": (1, 2), "pow": (2, 2)}


class Formula:
    """A formula that was checked. `names` are the scores it uses."""

    def __init__(self, text: str):
        """Raises StudioError for anything but arithmetic."""
        if len(text) > LONGEST:
            raise _wrong(f"it has more than {LONGEST} characters")
        try:
            self._tree = ast.parse(text.strip().replace("^", "**"), mode="eval").body
            self.names = {node.id for node in ast.walk(self._tree) if isinstance(node, ast.Name)} - {
                *FUNCTIONS
            }
            _check(self._tree)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as problem:
            raise _wrong(str(problem).partition(" (")[0] or "it is too deep") from problem

    def __call__(self, values: Mapping[str, float]) -> float | None:
        """The result; None where there is none: a division by zero, a root of −1, no finite number."""
        try:
            found = float(_value(self._tree, values))
        except (ArithmeticError, ValueError):
            return None
        return found if math.isfinite(found) else None

    def weights(self) -> dict[str, float] | None:
        """The weights, where the formula is a weighted sum without a constant; else None."""
        try:
            parts = _linear(self._tree)
        except _NotASum:
            return None
        return {name: weight for name, weight in parts.items() if name} if not parts.get("") else None


def _wrong(why: str) -> StudioError:
    return StudioError(
        f"The formula cannot be used: {why}.",
        hint=f"Names of graders, numbers, + - * / ^ and {', '.join(FUNCTIONS)}.",
        field="formula",
    )


def _check(node: ast.AST, depth: int = 1) -> None:
    if depth > DEEPEST:
        raise ValueError("it is too deep")
    match node:
        case ast.Constant(value=bool()):
            raise ValueError("True and False are no numbers")
        case ast.Constant(value=int() | float()):
            pass
        case ast.Name(id=name):
            if name in FUNCTIONS:
                raise ValueError(f"“{name}” is a function and needs parentheses")
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in OPERATORS:
            _check(left, depth + 1)
            _check(right, depth + 1)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
            _check(operand, depth + 1)
        case ast.Call(func=ast.Name(id=name), args=given, keywords=[]) if name in FUNCTIONS:
            least, most = COUNTS.get(name, (1, 1))
            if not least <= len(given) <= most:
                raise ValueError(f"“{name}” takes {least if least == most else f'{least} to {most}'} numbers")
            for argument in given:
                _check(argument, depth + 1)
        case _:
            raise ValueError(f"“{ast.unparse(node)[:60]}” is no arithmetic")


def _value(node: Any, values: Mapping[str, float]) -> float:
    match node:
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.Name():
            return values[node.id]
        case ast.BinOp():
            return OPERATORS[type(node.op)](_value(node.left, values), _value(node.right, values))
        case ast.UnaryOp():
            inside = _value(node.operand, values)
            return -inside if isinstance(node.op, ast.USub) else inside
        case _:
            return FUNCTIONS[node.func.id](*(_value(argument, values) for argument in node.args))


class _NotASum(Exception):
    """The formula is more than a weighted sum."""


def _linear(node: Any) -> dict[str, float]:
    """{name: weight} with the constant under the empty name."""
    match node:
        case ast.Constant(value=int() | float() as number):
            return {"": float(number)}
        case ast.Name():
            return {node.id: 1.0}
        case ast.UnaryOp():
            return _scaled(_linear(node.operand), -1.0 if isinstance(node.op, ast.USub) else 1.0)
        case ast.BinOp(op=ast.Add() | ast.Sub()):
            left = _linear(node.left)
            right = _scaled(_linear(node.right), -1.0 if isinstance(node.op, ast.Sub) else 1.0)
            return {name: left.get(name, 0.0) + right.get(name, 0.0) for name in (left | right)}
        case ast.BinOp(op=ast.Mult() | ast.Div()):
            return _product(_linear(node.left), _linear(node.right), isinstance(node.op, ast.Div))
    raise _NotASum


def _product(left: dict[str, float], right: dict[str, float], divide: bool) -> dict[str, float]:
    if set(right) == {""} and not (divide and not right[""]):
        return _scaled(left, 1 / right[""] if divide else right[""])
    if set(left) == {""} and not divide:
        return _scaled(right, left[""])
    raise _NotASum


def _scaled(parts: dict[str, float], factor: float) -> dict[str, float]:
    return {name: weight * factor for name, weight in parts.items()}
