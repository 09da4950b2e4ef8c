"""The guard in front of everything the web process serves: Gradio's routes, pages, fragments, API, files.

- Host: on loopback (or where `allowed_hosts` is set) only known names, so that a web page elsewhere cannot
  reach the studio by pointing its own name at 127.0.0.1 (DNS rebinding).
- Unsafe methods: refused when a browser says that another site sent them (CSRF).
- Login: demanded when the studio listens beyond loopback, or once a user exists. A browser carries a signed
  cookie, a script `Authorization: Bearer <token>`.
- Headers: a content security policy with a nonce, and the usual ones.

Pure ASGI, so that streams pass untouched. It stores nothing: passwords are `studio.users`' business.
"""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from studio import db, settings, users
from studio.models import User

COOKIE = "tunesmith"
SESSION_DAYS = 14
TOKEN_DAYS = 365
FRESH = 5.0  # seconds an answer of the database about users is believed

SAFE = {"GET", "HEAD", "OPTIONS"}
WITHOUT_LOGIN = ("/login", "/health", "/ours/studio.css", "/ours/theme.js", "/ours/icon.svg", "/ours/fonts/")

# Scripts need the nonce, so injected ones and `onerror=` attributes never run. 'unsafe-eval' stays because
# gr.HTML and `js=` of Gradio's events are compiled with Function() in the browser. 'unsafe-inline' is for
# styles only: Svelte and Plotly write style attributes.
POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self' 'nonce-{nonce}' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "media-src 'self' blob:",
        "worker-src 'self' blob:",
        "form-action 'self'",
        "base-uri 'self'",
        "frame-ancestors 'none'",
    ]
)


class Guard:
    """Wraps the whole application. `scope["person"]` is the name of who is logged in, or empty."""

    def __init__(self, app: ASGIApp):
        self.app = app
        self.door = Door()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            scope.update(nonce=secrets.token_urlsafe(18), person="")
            answer = await self.refuse(scope) or self.app
            await answer(scope, receive, with_headers(send, scope))
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def refuse(self, scope: Scope) -> Response | None:
        """The answer to give instead of the page, or None to let the request through."""
        headers, config = Headers(scope=scope), settings.get()
        if not known_host(headers.get("host", ""), config):
            return told(
                421, "This studio does not answer to that host name.", "Add it to TUNESMITH_ALLOWED_HOSTS."
            )
        if scope["method"] not in SAFE and foreign(headers):
            return told(403, "Another web site sent this request.", "Open the studio itself and try again.")
        person = await run_in_threadpool(self.door.person, credentials(headers))
        scope["person"] = person.name if person else ""
        if person or scope["path"].startswith(WITHOUT_LOGIN):
            return None
        if not await run_in_threadpool(self.door.is_locked):
            return None
        return ask_to_log_in(scope, headers)


def known_host(host: str, config: settings.Settings) -> bool:
    """A studio that listens everywhere with no list of names takes any: there the login protects it."""
    if not config.is_loopback and not config.allowed_hosts:
        return True
    return (urlsplit(f"//{host}").hostname or "") in {name.lower() for name in config.host_names}


def foreign(headers: Headers) -> bool:
    """Did a browser send this for another site? Scripts outside a browser send neither header."""
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return True
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc.lower() != headers.get("host", "").lower()


def ask_to_log_in(scope: Scope, headers: Headers) -> Response:
    if scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
        wanted = scope["path"] + (
            "?" + scope["query_string"].decode("latin-1") if scope["query_string"] else ""
        )
        return RedirectResponse(f"/login?next={quote(wanted)}", 303)
    return told(401, "Log in first.", "Open /login in a browser, or send Authorization: Bearer <token>.")


def told(status: int, error: str, hint: str) -> Response:
    return JSONResponse({"error": error, "hint": hint}, status)


def with_headers(send: Send, scope: Scope) -> Send:
    """Adds the security headers to whatever is answered; Gradio's CORS headers go."""

    async def add(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name in [name for name in headers if name.startswith("access-control-")]:
                del headers[name]
            headers["Content-Security-Policy"] = POLICY.format(nonce=scope["nonce"])
            headers["X-Content-Type-Options"] = "nosniff"
            headers["X-Frame-Options"] = "DENY"
            headers["Referrer-Policy"] = "same-origin"
            headers["Cross-Origin-Opener-Policy"] = "same-origin"
            headers["Cross-Origin-Resource-Policy"] = "same-origin"
            headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=()"
        await send(message)

    return add


# ---- who is there -------------------------------------------------------------------------------------


class Door:
    """Whether a login is needed and whose a credential is; believes the database for a few seconds."""

    def __init__(self) -> None:
        self.locked: tuple[float, bool] = (0.0, False)
        self.known: dict[int, tuple[float, User | None]] = {}

    def is_locked(self) -> bool:
        if not settings.get().is_loopback:
            return True
        if time.monotonic() - self.locked[0] > FRESH:
            with db.reading() as session:
                self.locked = (time.monotonic(), users.any_exist(session))
        return self.locked[1]

    def person(self, credential: str) -> User | None:
        claims = opened(credential)
        if claims is None:
            return None
        user = self.user(claims["user"])
        return user if user and hmac.compare_digest(stamp(user), claims["stamp"]) else None

    def user(self, number: int) -> User | None:
        seen, user = self.known.get(number, (0.0, None))
        if time.monotonic() - seen > FRESH or user is None:
            with db.reading() as session:
                user = session.get(User, number)
            self.known[number] = (time.monotonic(), user)
        return user


def credentials(headers: Headers) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return morsel.value if morsel else ""


def token(user: User, days: float = TOKEN_DAYS) -> str:
    """A signed credential, good until it expires or the password changes.

    It is the value of the cookie, and what a script sends as `Authorization: Bearer …`.
    """
    claims = {"user": user.id, "stamp": stamp(user), "until": int(time.time() + days * 86400)}
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"{body}.{signature(body)}"


def opened(credential: str) -> dict | None:
    """The claims of a credential that we signed and that has not expired, else None."""
    body, _, signed = credential.partition(".")
    if not signed.isascii() or not hmac.compare_digest(signature(body), signed):
        return None
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return claims if claims["until"] > time.time() else None


def signature(body: str) -> str:
    key = settings.get().secret_key.encode()
    return hmac.new(key, b"tunesmith credential " + body.encode(), hashlib.sha256).hexdigest()


def stamp(user: User) -> str:
    """Changes with the password, which ends every session opened with the old one."""
    return hashlib.sha256(user.password_hash.encode()).hexdigest()[:16]


# ---- the doors of Gradio ------------------------------------------------------------------------------


class Doors:
    """Lets through only what a page of ours needs from Gradio.

    Its upload, file, proxy, monitoring, deep-link and code-editing routes are not among it: uploads and
    downloads have routes of our own.
    """

    EXACT = frozenset(
        {"/config", "/theme.css", "/robots.txt"}
        | {
            f"/gradio_api/{name}"
            for name in ("startup-events", "queue/join", "queue/data", "cancel", "reset")
        }
    )
    BELOW = ("/assets/", "/static/", "/gradio_api/run/", "/gradio_api/heartbeat/")

    def __init__(self, gradio: ASGIApp, closed: ASGIApp, pages: Iterable[str]):
        self.gradio, self.closed = gradio, closed
        self.open = self.EXACT | set(pages)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        is_open = path in self.open or (path.startswith(self.BELOW) and ".." not in path)
        await (self.gradio if is_open else self.closed)(scope, receive, send)
