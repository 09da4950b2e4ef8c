"""What people set for the whole studio, kept in the database: `thresholds` of the guide, `prices` of devices.

What the machine is (addresses, folders, limits) stands in `studio.settings` instead.
"""

from typing import Any

from sqlalchemy.orm import Session

from studio import events
from studio.models import Preference


def get(session: Session, key: str) -> dict[str, Any]:
    """What was set; empty where nothing was."""
    found = session.get(Preference, key)
    return dict(found.value) if found else {}


def put(session: Session, key: str, value: dict[str, Any], who: str = "") -> None:
    """Keeps `value` in place of what was set; an empty one goes back to what is shipped."""
    before = get(session, key)
    found = session.get(Preference, key)
    if found is None:
        session.add(Preference(key=key, value=value))
    else:
        found.value = value
    events.record(session, "preference set", f"preference:{key}", who, before=before, after=value)
