"""Reads the guide's `when` expressions: a whitelist over Python's own syntax tree.

Allowed: answer names, `T['threshold']`, constants, tuples of constants, comparisons, `in`, `and`/`or`/`not`,
`is None`, and + - * / (and powers of constants). Everything else is refused when the text is compiled, so no
text of the guide can call, import or reach into anything. An ordering against an unknown value (None) is
False, as in SQL. This module knows nothing of the guide's rules or words.
"""

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

MAX_LENGTH = 1000  # characters; the guide's longest rule has about 220
MAX_DEPTH = 30  # levels of nesting; the guide's deepest rule has 6
MAX_EXPONENT = 12  # 10**12 is the largest figure anyone needs here

Values = Mapping[str, Any]
Step = Callable[[Values, Values], Any]  # (answers, thresholds) -> value


class ExpressionError(ValueError):
    """The text is not an expression of the guide's language, or compares what cannot be compared."""


@dataclass(frozen=True)
class Expression:
    """One compiled expression.

    `source` is the text in normal form. `names` and `thresholds` are what it looks at. `conditions` are its
    parts joined by `and` (itself, where there is only one). `choice` is `(field, values)` where it reads
    `field == value` or `field in (…)`; `floor` is `(expression, threshold)` where it reads
    `expression >= T[threshold]`: both let the guide put a condition into words. `compared` are the two
    sides of each comparison in it.
    """

    source: str
    names: frozenset[str]
    looks_at: tuple[str, ...]  # the names in alphabetical order
    thresholds: frozenset[str]
    conditions: tuple["Expression", ...]
    choice: tuple[str, tuple[Any, ...]] | None
    floor: tuple["Expression", str] | None
    compared: tuple[tuple["Expression", "Expression"], ...]
    step: Step

    def value(self, answers: Values, thresholds: Values) -> Any:
        """The expression's value; `and`/`or` return their deciding operand, as in Python."""
        return self.step(answers, thresholds)

    def holds(self, answers: Values, thresholds: Values) -> bool:
        return bool(self.step(answers, thresholds))


@lru_cache(maxsize=1024)
def compile_expression(text: str) -> Expression:
    """Compile once, use often. Raises ExpressionError for anything outside the language."""
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"An expression may have {MAX_LENGTH} characters; this has {len(text)}.")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:  # the last two: too deeply nested
        raise ExpressionError(f"Not an expression: {text!r} ({error}).") from error
    _refuse_depth(tree)
    return _expression(tree)


def normalise(text: str) -> str:
    """The text as `Expression.source` spells it."""
    return compile_expression(text).source


def _refuse_depth(tree: ast.expr) -> None:
    level: list[ast.AST] = [tree]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return
    raise ExpressionError(f"An expression may be nested {MAX_DEPTH} levels deep.")


def _expression(node: ast.expr) -> Expression:
    step = _compile(node)
    names, thresholds = _mentions(node)
    parts = node.values if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And) else []
    expression = Expression(
        source=ast.unparse(node),
        names=names,
        looks_at=tuple(sorted(names)),
        thresholds=thresholds,
        conditions=tuple(_expression(part) for part in parts),
        choice=_choice(node),
        floor=_floor(node),
        compared=_compared(node),
        step=step,
    )
    if not parts:
        object.__setattr__(expression, "conditions", (expression,))
    return expression


def _mentions(node: ast.expr) -> tuple[frozenset[str], frozenset[str]]:
    names: set[str] = set()
    thresholds: set[str] = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            names.add(part.id)
        elif isinstance(part, ast.Subscript) and isinstance(part.slice, ast.Constant):
            thresholds.add(str(part.slice.value))
    return frozenset(names - {"T"}), frozenset(thresholds)


def _choice(node: ast.expr) -> tuple[str, tuple[Any, ...]] | None:
    match node:
        case ast.Compare(
            left=ast.Name(id=name), ops=[ast.Eq()], comparators=[ast.Constant(value=str(value))]
        ):
            return name, (value,)
        case ast.Compare(left=ast.Name(id=name), ops=[ast.In()], comparators=[ast.Tuple(elts=options)]):
            return name, tuple(option.value for option in options if isinstance(option, ast.Constant))
    return None


def _floor(node: ast.expr) -> tuple[Expression, str] | None:
    match node:
        case ast.Compare(
            left=left,
            ops=[ast.GtE()],
            comparators=[ast.Subscript(value=ast.Name(id="T"), slice=ast.Constant(value=str(name)))],
        ):
            return _expression(left), name
    return None


def _compared(node: ast.expr) -> tuple[tuple[Expression, Expression], ...]:
    return tuple(
        (_expression(part.left), _expression(part.comparators[0]))
        for part in ast.walk(node)
        if isinstance(part, ast.Compare) and isinstance(part.ops[0], (ast.Eq, ast.NotEq, *_ORDERINGS))
    )


def _compile(node: ast.expr) -> Step:
    build = _BUILDERS.get(type(node))
    if build is None:
        raise ExpressionError(f"{type(node).__name__} is not allowed in a guide expression.")
    return build(node)


def _constant(node: ast.Constant) -> Step:
    value = node.value
    if value is not None and type(value) not in (bool, int, float, str):
        raise ExpressionError(f"The constant {value!r} is not allowed in a guide expression.")
    return lambda answers, thresholds: value


def _name(node: ast.Name) -> Step:
    name = node.id
    if name == "T" or name.startswith("_"):
        raise ExpressionError(f"{name!r} is not the name of an answer.")

    def look_up(answers: Values, thresholds: Values) -> Any:
        if name not in answers:
            raise ExpressionError(f"No answer is called {name!r}.")
        return answers[name]

    return look_up


def _threshold(node: ast.Subscript) -> Step:
    match node:
        case ast.Subscript(value=ast.Name(id="T"), slice=ast.Constant(value=str(name))):
            pass
        case _:
            raise ExpressionError("Only T['threshold'] may be looked up in a guide expression.")

    def look_up(answers: Values, thresholds: Values) -> Any:
        if name not in thresholds:
            raise ExpressionError(f"No threshold is called {name!r}.")
        return thresholds[name]

    return look_up


def _tuple(node: ast.Tuple) -> Step:
    if not all(isinstance(item, ast.Constant) for item in node.elts):
        raise ExpressionError("A tuple in a guide expression may hold only constants.")
    items = tuple(_compile(item)({}, {}) for item in node.elts)
    return lambda answers, thresholds: items


def _bool_op(node: ast.BoolOp) -> Step:
    steps = [_compile(value) for value in node.values]
    stops_at = isinstance(node.op, ast.Or)

    def combine(answers: Values, thresholds: Values) -> Any:
        value: Any = None
        for step in steps:
            value = step(answers, thresholds)
            if bool(value) is stops_at:
                return value
        return value

    return combine


def _unary_op(node: ast.UnaryOp) -> Step:
    operand = _compile(node.operand)
    if isinstance(node.op, ast.Not):
        return lambda answers, thresholds: not operand(answers, thresholds)
    if isinstance(node.op, ast.USub):
        return lambda answers, thresholds: -_number(operand(answers, thresholds))
    raise ExpressionError(f"{type(node.op).__name__} is not allowed in a guide expression.")


def _bin_op(node: ast.BinOp) -> Step:
    if isinstance(node.op, ast.Pow):
        return _power(node)
    work = _ARITHMETIC.get(type(node.op))
    if work is None:
        raise ExpressionError(f"{type(node.op).__name__} is not allowed in a guide expression.")
    left, right = _compile(node.left), _compile(node.right)

    def calculate(answers: Values, thresholds: Values) -> Any:
        a, b = _number(left(answers, thresholds)), _number(right(answers, thresholds))
        if work is operator.truediv and b == 0:
            raise ExpressionError("A guide expression divides by zero.")
        return work(a, b)

    return calculate


def _power(node: ast.BinOp) -> Step:
    match node:
        case ast.BinOp(left=ast.Constant(value=int(base)), right=ast.Constant(value=int(exponent))) if (
            abs(base) <= 10 and 0 <= exponent <= MAX_EXPONENT
        ):
            result = base**exponent
            return lambda answers, thresholds: result
    raise ExpressionError(f"A power may have a base up to 10 and an exponent up to {MAX_EXPONENT}.")


def _compare(node: ast.Compare) -> Step:
    operands = [_compile(part) for part in (node.left, *node.comparators)]
    tests = [_comparison(op, part) for op, part in zip(node.ops, node.comparators, strict=True)]

    if len(tests) == 1:
        (left, right), (test,) = operands, tests
        return lambda answers, thresholds: test(left(answers, thresholds), right(answers, thresholds))

    def compare(answers: Values, thresholds: Values) -> bool:
        values = [operand(answers, thresholds) for operand in operands]
        return all(test(values[i], values[i + 1]) for i, test in enumerate(tests))

    return compare


def _comparison(op: ast.cmpop, right: ast.expr) -> Callable[[Any, Any], bool]:
    if isinstance(op, ast.Is | ast.IsNot):
        if not (isinstance(right, ast.Constant) and right.value is None):
            raise ExpressionError("`is` may only be used with None in a guide expression.")
        return operator.is_ if isinstance(op, ast.Is) else operator.is_not
    if isinstance(op, ast.In | ast.NotIn):
        if not isinstance(right, ast.Tuple):
            raise ExpressionError("`in` needs a tuple of constants in a guide expression.")
        wanted = isinstance(op, ast.In)
        return lambda value, options: (value in options) is wanted
    if isinstance(op, ast.Eq | ast.NotEq):
        return operator.eq if isinstance(op, ast.Eq) else operator.ne
    return _ordering(_ORDERINGS[type(op)])


def _ordering(work: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def order(a: Any, b: Any) -> bool:
        return a is not None and b is not None and work(_number(a), _number(b))

    return order


def _number(value: Any) -> int | float:
    if isinstance(value, int | float):
        return value
    raise ExpressionError(f"{value!r} is not a number.")


_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_ORDERINGS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_BUILDERS: dict[type[ast.expr], Callable[[Any], Step]] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.Subscript: _threshold,
    ast.Tuple: _tuple,
    ast.BoolOp: _bool_op,
    ast.UnaryOp: _unary_op,
    ast.BinOp: _bin_op,
    ast.Compare: _compare,
}
