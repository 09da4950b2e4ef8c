"""Conversations or answers that do not end with the assistant: there is no answer to learn from."""

from studio.datasets.checks.base import Check, Finding, Tally, rows
from studio.datasets.view import View

ANSWERS = ("messages", "completion", "chosen", "rejected")


class LastRole:
    def __init__(self) -> None:
        self.tally = Tally()

    def see(self, view: View) -> None:
        for field in ANSWERS:
            messages = view.row.get(field)
            if isinstance(messages, list) and messages and messages[-1]["role"] != "assistant":
                self.tally.add(view.line, f"“{field}” ends with {messages[-1]['role']}")
                return

    def finish(self) -> Finding | None:
        return self.tally.finding(
            "last_role",
            "error",
            f"{rows(self.tally.count, 'does', 'do')} not end with the assistant",
            "Add the answers, or use the file as prompts for a grader.",
        )


CHECK = Check(
    "last_role",
    "No answer at the end",
    ("chat", "instruction", "preference", "labelled", "rated"),
    LastRole,
    order=20,
)
