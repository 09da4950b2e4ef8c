"""The one error a person may see. Anything else that is raised is a bug and stays loud."""


class StudioError(Exception):
    """Something the person can mend: says what is wrong, then what to do next.

    `message` is one plain sentence; `hint` the next step; `field` names the form field or
    parameter it belongs to, where there is one.
    """

    def __init__(self, message: str, hint: str = "", field: str = ""):
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.field = field

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()

    def as_dict(self) -> dict[str, str]:
        parts = {"error": self.message, "hint": self.hint, "field": self.field}
        return {name: text for name, text in parts.items() if text}


class NotFound(StudioError):
    """The thing asked for is not there (HTTP 404)."""


class Refused(StudioError):
    """The thing is there, but its state does not allow the move (HTTP 409)."""
