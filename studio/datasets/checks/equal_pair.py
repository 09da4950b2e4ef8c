"""Pairs whose chosen and rejected answers are the same: there is nothing to prefer."""

from typing import Any

from studio.datasets.checks.base import Check, Finding, Tally, rows
from studio.datasets.view import View


class EqualPair:
    def __init__(self) -> None:
        self.tally = Tally()

    def see(self, view: View) -> None:
        chosen, rejected = view.row["chosen"], view.row["rejected"]
        if chosen == rejected or _plain(chosen) == _plain(rejected):
            said = [turn.text for turn in view.turns if turn.field == "chosen"]
            self.tally.add(view.line, " ".join(said))

    def finish(self) -> Finding | None:
        return self.tally.finding(
            "equal_pair",
            "error",
            f"{rows(self.tally.count, 'has', 'have')} the same answer as chosen and rejected",
            "Leave those rows out: they teach nothing and can make training unstable.",
        )


def _plain(side: str | list[dict[str, Any]]) -> Any:
    """The answer without the white space around it."""
    if isinstance(side, str):
        return side.strip()
    if len(side) == 1 and isinstance(side[0]["content"], str):
        return {**side[0], "content": side[0]["content"].strip()}
    return side


CHECK = Check("equal_pair", "Equal pairs", ("preference",), EqualPair, order=40)
