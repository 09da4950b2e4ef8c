"""Half-filled forms, kept under a random key that stands in the page's address.

A draft is one person's work in progress: a reload, another tab or a restart of the studio loses nothing. What
is in it belongs to its page; nothing is checked here.
"""

import re
import secrets
from typing import Any

from sqlalchemy.orm import Session

from studio.errors import StudioError
from studio.models import Draft

KEY = re.compile(r"[a-z0-9-]{6,60}")


def new_key(kind: str) -> str:
    """A key nobody can guess, such as `guide-3f9c0d2a61b7`."""
    return f"{kind}-{secrets.token_hex(6)}"


def get(session: Session, key: str) -> dict[str, Any]:
    """What was kept under `key`; empty where nothing was."""
    draft = session.get(Draft, key)
    return dict(draft.data) if draft else {}


def put(session: Session, key: str, data: dict[str, Any]) -> None:
    """Keeps `data` under `key` in place of what was there. Raises StudioError for a key of another kind."""
    if not KEY.fullmatch(key):
        raise StudioError("This address names no draft.", hint="Open the page anew.", field="draft")
    draft = session.get(Draft, key)
    if draft is None:
        session.add(Draft(key=key, data=data))
    else:
        draft.data = data


def drop(session: Session, key: str) -> None:
    draft = session.get(Draft, key)
    if draft is not None:
        session.delete(draft)
