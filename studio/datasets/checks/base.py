"""What every check shares: the finding, a tally of the rows it concerns, and the start of one.

A check is fed every good row once (`see`) and then says what it found (`finish`). It must hold little:
a tally and three examples, not the rows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from pydantic import BaseModel

from studio.datasets.view import View

Severity = Literal["error", "warning", "info"]
EXAMPLES = 3
SNIPPET = 160


class Example(BaseModel):
    """A row that shows the finding: its line in the file and the words in question."""

    line: int
    text: str


class Finding(BaseModel):
    """What a check says: how bad, what, in how many rows, where to look, and one next step."""

    name: str
    severity: Severity
    title: str
    count: int
    lines: list[int]
    examples: list[Example]
    next_step: str


class Checker(Protocol):
    """A check at work on one file."""

    def see(self, view: View) -> None: ...

    def finish(self) -> Finding | None: ...


@dataclass(frozen=True)
class Check:
    """One kind of finding: the shapes it makes sense for (empty: all) and how to start it."""

    name: str
    title: str
    shapes: tuple[str, ...]
    start: Callable[[], Checker]
    order: int = 100


class Tally:
    """How many rows, and the first three of them."""

    def __init__(self) -> None:
        self.count = 0
        self.examples: list[Example] = []

    def add(self, line: int, text: str) -> None:
        """One more row; `text` is shortened to what fits a line on the screen."""
        self.count += 1
        if len(self.examples) < EXAMPLES:
            short = text if len(text) <= SNIPPET else f"{text[: SNIPPET - 1]}…"
            self.examples.append(Example(line=line, text=short))

    def finding(self, name: str, severity: Severity, title: str, next_step: str) -> Finding | None:
        """The finding, or None where there was nothing."""
        if not self.count:
            return None
        return Finding(
            name=name,
            severity=severity,
            title=title,
            count=self.count,
            lines=[example.line for example in self.examples],
            examples=self.examples,
            next_step=next_step,
        )


def rows(count: int, verb: str, plural_verb: str) -> str:
    """ "1 row has" or "2,300 rows have"."""
    return f"1 row {verb}" if count == 1 else f"{count:,} rows {plural_verb}"
