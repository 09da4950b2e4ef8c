"""The one error a person may see. Anything else that is raised is a bug and stays loud."""

from collections.abc import Sequence
from typing import Any


class StudioError(Exception):
    """Something the person can mend: says what is wrong, then what to do next.

    `message` is one plain sentence; `hint` the next step; `field` names the form field or
    parameter it belongs to, where there is one; `lines` the rows of a file that are to blame, as
    `{"line", "reason"}`.
    """

    def __init__(self, message: str, hint: str = "", field: str = "", lines: Sequence[dict[str, Any]] = ()):
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.field = field
        self.lines = list(lines)

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()

    def as_dict(self) -> dict[str, Any]:
        parts = {"error": self.message, "hint": self.hint, "field": self.field, "lines": self.lines}
        return {name: text for name, text in parts.items() if text}


class NotFound(StudioError):
    """The thing asked for is not there (HTTP 404)."""


class Refused(StudioError):
    """The thing is there, but its state does not allow the move (HTTP 409)."""
