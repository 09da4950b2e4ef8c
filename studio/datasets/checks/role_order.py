"""Roles out of order: many chat templates refuse such conversations or render them wrongly.

In order is: at most one system message, first; then user and assistant in turn; tools answer calls.
"""

from studio.datasets.checks.base import Check, Finding, Tally, rows
from studio.datasets.messages import Message
from studio.datasets.view import View

# Who may speak after whom.
AFTER = {
    "": {"system", "user"},
    "system": {"user"},
    "user": {"assistant"},
    "assistant": {"user"},
    "calls": {"tool"},
    "tool": {"tool", "assistant"},
}


class RoleOrder:
    def __init__(self) -> None:
        self.tally = Tally()

    def see(self, view: View) -> None:
        messages = view.row.get("messages") or view.row.get("prompt")
        if isinstance(messages, list) and (problem := disorder(messages)):
            self.tally.add(view.line, problem)

    def finish(self) -> Finding | None:
        return self.tally.finding(
            "role_order",
            "warning",
            f"{rows(self.tally.count, 'has', 'have')} roles out of order",
            "Let user and assistant take turns: join neighbours of the same role, put system first.",
        )


def disorder(messages: list[Message]) -> str:
    """The first place where the wrong one speaks, or ""."""
    before = ""
    for place, message in enumerate(messages, 1):
        role = message["role"]
        if role not in AFTER[before]:
            earlier = {"": "at the start", "calls": "after a tool call"}.get(before, f"after {before}")
            return f"message {place}: {role} {earlier}"
        before = "calls" if role == "assistant" and message.get("tool_calls") else role
    return ""


CHECK = Check(
    "role_order",
    "Roles out of order",
    ("chat", "instruction", "preference", "labelled", "prompt", "rated"),
    RoleOrder,
    order=30,
)
