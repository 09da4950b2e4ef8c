"""Turns that say nothing: the model would learn to answer with silence."""

from studio.datasets.checks.base import Check, Finding, Tally, rows
from studio.datasets.view import Turn, View


class EmptyTurns:
    def __init__(self) -> None:
        self.tally = Tally()

    def see(self, view: View) -> None:
        if all(view.words):  # the common case: every turn has words
            return
        for words, turn in zip(view.words, view.turns, strict=True):
            if words or (
                turn.message and (turn.message.get("tool_calls") or turn.message["content"] != turn.text)
            ):
                continue
            if turn.field == "text" and "image" in view.row:
                continue
            self.tally.add(view.line, f"empty: {turn.role or turn.field}")
            return

    def finish(self) -> Finding | None:
        return self.tally.finding(
            "empty_turns",
            "warning",
            f"{rows(self.tally.count, 'has', 'have')} an empty text",
            "Fill them in, or leave those rows out.",
        )


def _says_otherwise(turn: Turn, view: View) -> bool:
    """Whether the turn calls a tool, or is an image."""
    if turn.message is not None:
        return bool(turn.message.get("tool_calls") or isinstance(turn.message["content"], list))
    return turn.field == "text" and "image" in view.row


CHECK = Check("empty_turns", "Empty texts", (), EmptyTurns, order=10)
