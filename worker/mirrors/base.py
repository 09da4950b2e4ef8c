"""What a mirror is, and how it calls its server. Both trackers are told over HTTP: no library of theirs is
needed (`decisions/0008-mirrors-speak-http.md`)."""

import base64
import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from studio.metrics.abroad import Sketch

Row = dict[str, Any]
Place = dict[str, Any]
WAIT = 30.0  # seconds for an answer
TRY_AGAIN = {408, 425, 429}


class Away(Exception):
    """The server cannot be reached, or is busy: later it may answer."""


class Unwilling(Exception):
    """The server answered no."""


@dataclass(frozen=True)
class Mirror:
    """One tracker. `address` says where it is by the settings. `begin` makes a run there, or finds the one
    made under that key, and says what it is called and where a person sees it; `tell` adds rows; `settle`
    says what state the run is in. `most` values go into one call."""

    name: str
    title: str
    address: Callable[[], str]
    begin: Callable[[str, str, Sketch], tuple[Place, str]]
    tell: Callable[[str, Place, Sequence[Row]], None]
    settle: Callable[[str, Place, Sketch], None]
    most: int = 1000


def call(address: str, path: str, body: dict[str, Any] | None = None, **headers: str) -> dict[str, Any]:
    """What the server answers, as JSON; a body makes it a POST."""
    base, sent = _parts(address)
    sent |= {"Content-Type": "application/json"} | headers
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(f"{base}/{path}", data, sent)
    try:
        with urllib.request.urlopen(asked, timeout=WAIT) as answer:
            found = json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as problem:
        said = _reason(problem)
        raise (Away if problem.code in TRY_AGAIN or problem.code >= 500 else Unwilling)(said) from problem
    except (OSError, http.client.HTTPException) as problem:
        why = getattr(problem, "reason", None) or problem
        raise Away(f"the server cannot be reached ({why}).") from problem
    except ValueError as problem:
        raise Unwilling("what answers at that address is another program.") from problem
    return found if isinstance(found, dict) else {}


def _parts(address: str) -> tuple[str, dict[str, str]]:
    """The address without what stands behind its path, and a header for the user it names."""
    parts = urlsplit(address)
    user, _, host = parts.netloc.rpartition("@")
    base = urlunsplit(parts._replace(netloc=host, query="", fragment="")).rstrip("/")
    return base, {"Authorization": basic(user)} if user else {}


def basic(user: str) -> str:
    """`name:password` as a header says it."""
    return "Basic " + base64.b64encode(user.encode()).decode()


def _reason(problem: urllib.error.HTTPError) -> str:
    text = problem.read(2000).decode(errors="replace")
    try:
        found = json.loads(text)
        text = found.get("message") or found.get("error") or text
    except (ValueError, AttributeError):
        text = problem.reason
    return f"it answered {problem.code}: {str(text).strip()[:300].rstrip('.')}."
