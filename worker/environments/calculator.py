"""A calculator. Reads arithmetic only: nothing of an expression is run as code."""

from typing import Any

from studio.errors import StudioError
from studio.graders.arithmetic import Formula

# As models write them.
SIGNS = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "–": "-"})
EXACT = 2.0**53  # whole numbers below are exact as floats


class Calculator:
    def reset(self, **row: Any) -> None:
        """Nothing is kept from one call to the next."""

    def calculate(self, expression: str) -> str:
        """Works out an arithmetic expression.

        Args:
            expression: Numbers with + - * / ^ and parentheses.

        Returns:
            The result.
        """
        text = str(expression)
        try:
            formula = Formula(text.translate(SIGNS))
        except StudioError as problem:
            raise ValueError(f"“{text[:60]}” is no arithmetic. {problem.message}") from problem
        if formula.names:
            raise ValueError(f"“{min(formula.names)}” is no number.")
        found = formula({})
        if found is None:
            raise ValueError(f"“{text[:60]}” has no finite result.")
        return str(int(found)) if found.is_integer() and abs(found) < EXACT else f"{found:.12g}"
