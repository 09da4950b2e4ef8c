"""Calls other programs over HTTP for graders: whom they may call, how often they try, how much they read, and
what happens when nothing comes back. What is asked and how an answer is understood is the grader's business.

A studio that several people use must not become a way into the network it stands in (SSRF). So addresses are
http or https, redirects are not followed, and where the studio listens beyond loopback only hosts the owner
listed may be called (TUNESMITH_GRADER_HOSTS). Keys are read from the environment at the moment of the call
and kept nowhere."""

import http.client
import json
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from urllib.parse import urlsplit

import orjson

from studio import settings
from studio.errors import StudioError
from studio.graders.base import Case, Score
from studio.graders.failures import Failures
from studio.parameters import Parameters, setting

LARGEST_ANSWER = 16 * 2**20  # bytes
LONGEST_WAIT = 30.0  # seconds between two tries, whatever the other side asks for
TRY_AGAIN = {408, 409, 425, 429, 500, 502, 503, 504}
GIVE_UP_AFTER = 128  # answers in a row without a score
KEY_NAME = re.compile(r"[A-Z][A-Z0-9_]*_API_KEY")
Asked = TypeVar("Asked")


class Calling(Parameters):
    """Shared by graders that ask another program."""

    key_variable: str = setting(
        "",
        "Key is in",
        "Name of the environment variable that holds the key, such as OPENAI_API_KEY; it must be set where "
        "the worker runs. The key itself is never stored. Empty: no key is sent.",
        basic=True,
        pattern=rf"^({KEY_NAME.pattern})?$",
        max_length=100,
    )
    timeout: float = setting(60.0, "Timeout", "How long one call may take.", unit="s", gt=0, le=900)
    retries: int = setting(3, "Retries", "How often a call that failed is tried again.", ge=0, le=10)
    at_once: int = setting(8, "At once", "Calls under way at the same time.", ge=1, le=64)


class Failed(Exception):
    """A call brought nothing that can be used; the text says why, without the key."""


def check_address(address: str, field: str) -> None:
    """Raises StudioError for an address graders may not call."""
    try:
        parts = urlsplit(address)
        host, scheme, _ = (parts.hostname or "").lower(), parts.scheme.lower(), parts.port
    except ValueError:
        host, scheme, parts = "", "", urlsplit("")
    if scheme not in ("http", "https") or not host or parts.username is not None or "\\" in address:
        raise StudioError(
            f"“{address[:100]}” is no address that can be called.",
            hint="Write http:// or https:// and a host; keys do not belong in the address.",
            field=field,
        )
    config = settings.get()
    allowed = {name.strip().lower() for name in config.grader_hosts.split(",") if name.strip()}
    if "*" in allowed or host in allowed or (not allowed and config.is_loopback):
        return
    raise StudioError(
        f"Graders may not call {host} from this studio.",
        hint=f"Its owner can allow it: TUNESMITH_GRADER_HOSTS={','.join([*sorted(allowed), host])}.",
        field=field,
    )


def post(address: str, body: Any, calling: Calling) -> Any:
    """The JSON that comes back. Raises Failed, after the retries, and StudioError when the key is not set."""
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if calling.key_variable:
        headers["Authorization"] = f"Bearer {key(calling.key_variable)}"
    request = urllib.request.Request(address, json.dumps(body).encode(), headers)
    for attempt in range(calling.retries + 1):
        try:
            return _once(request, calling.timeout)
        except _Passing as problem:
            if attempt == calling.retries:
                raise Failed(str(problem)) from problem
            time.sleep(min(problem.wait or 0.5 * 2**attempt, LONGEST_WAIT))
    raise AssertionError("the loop returns or raises")


def key(variable: str) -> str:
    found = os.environ.get(variable, "").strip()
    if not found:
        raise StudioError(
            f"The environment variable {variable} is not set here.",
            hint="Set it where the studio and its workers are started, then start them again.",
            field="key_variable",
        )
    return found


class _Passing(Exception):
    """Worth another try, after `wait` seconds where the other side says so."""

    def __init__(self, message: str, wait: float = 0.0):
        super().__init__(message)
        self.wait = wait


def _once(request: urllib.request.Request, timeout: float) -> Any:
    until = time.monotonic() + timeout
    try:
        with _opener(request).open(request, timeout=timeout) as response:
            read = bytearray()
            while piece := response.read1(1 << 16):
                read += piece
                if len(read) > LARGEST_ANSWER:
                    raise Failed(f"it answered with more than {LARGEST_ANSWER >> 20} MB")
                if time.monotonic() > until:
                    raise _Passing(f"it took longer than {timeout:g} s")
        return orjson.loads(read)
    except urllib.error.HTTPError as problem:
        with problem:
            said = f"it answered {problem.code}: {_words(problem)}".rstrip(": ")
            if problem.code in TRY_AGAIN:
                raise _Passing(said, _seconds(problem.headers.get("Retry-After"))) from problem
            raise Failed(said) from problem
    except orjson.JSONDecodeError as problem:
        raise Failed("its answer is no JSON") from problem
    except TimeoutError as problem:
        raise _Passing(f"it took longer than {timeout:g} s") from problem
    except (OSError, http.client.HTTPException) as problem:
        raise _Passing(f"it could not be reached: {getattr(problem, 'reason', problem)}") from problem


def _words(problem: urllib.error.HTTPError) -> str:
    """The beginning of what it says, where it says something."""
    try:
        return problem.read1(2000).decode(errors="replace").strip()[:200]
    except (OSError, http.client.HTTPException):
        return ""


def _opener(request: urllib.request.Request) -> urllib.request.OpenerDirector:
    """http and https only, without redirects; a proxy of the environment is used except for this machine."""
    opener = urllib.request.OpenerDirector()
    near = urlsplit(request.full_url).hostname in settings.LOOPBACK
    for handler in (
        urllib.request.ProxyHandler({} if near else None),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
    ):
        opener.add_handler(handler)
    return opener


def _seconds(header: str | None) -> float:
    return float(header) if header and header.isdecimal() else 0.0


# ---- many calls ---------------------------------------------------------------------------------------


def each(ask: Callable[[Asked], Any], asked: Iterable[Asked], at_once: int) -> list[Any]:
    """`ask` of everything, several at a time; what it returned or the Failed it raised, in order."""

    def one(thing: Asked) -> Any:
        try:
            return ask(thing)
        except Failed as problem:
            return problem

    things = list(asked)
    if len(things) == 1 or at_once == 1:
        return [one(thing) for thing in things]
    with ThreadPoolExecutor(at_once, thread_name_prefix="grader") as pool:
        return list(pool.map(one, things))


class Patience(Failures):
    """Also ends a run when something that has worked stays away."""

    in_a_row = 0

    def note(self, message: str) -> None:
        super().note(message)
        self.in_a_row += 1
        if self.in_a_row >= GIVE_UP_AFTER:
            raise StudioError(
                f"{self._grader} failed on {self.in_a_row} answers in a row. The last time: {message}",
                hint=self._hint,
                field="graders",
            )

    def note_score(self) -> None:
        super().note_score()
        self.in_a_row = 0


class Asking:
    """A scorer that asks somewhere else; `failures` counts what brought no score."""

    def __init__(self, ask: Callable[[Sequence[Case]], list[Score | Failed]], failures: Failures):
        self._ask, self.failures = ask, failures

    def __call__(self, cases: Sequence[Case]) -> list[Score]:
        """None for an answer that failed. Raises StudioError when too many did."""
        return [self._settle(outcome) for outcome in self._ask(cases)]

    def _settle(self, outcome: Score | Failed) -> Score:
        if isinstance(outcome, Failed):
            self.failures.note(str(outcome))
            return None
        if outcome is not None:
            self.failures.note_score()
        return outcome
