"""Who is asking: the name that `app.security` put on the request, for the audit trail."""

from fastapi import Request


def who(request: Request) -> str:
    """The logged-in person's name; empty on a studio without a login."""
    return str(request.scope.get("person", ""))
