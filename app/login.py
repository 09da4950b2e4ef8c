"""Logging in and out: one plain page, a signed cookie, and a brake on guessing."""

import time

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool

from app import navigation, security, shell
from studio import db, users
from studio.models import User

FREE_TRIES = 5
LONGEST_WAIT = 300.0  # seconds
REMEMBERED = 10_000  # names and addresses with failed tries

router = APIRouter(include_in_schema=False)


class Brake:
    """After five failures from one address or for one name, each further one doubles the wait (to 5 min)."""

    def __init__(self) -> None:
        self.failures: dict[str, tuple[int, float]] = {}  # key → how many, no sooner than (monotonic s)

    def wait(self, *keys: str) -> float:
        """Seconds until another try is allowed."""
        return max(0.0, *(self.failures.get(key, (0, 0.0))[1] - time.monotonic() for key in keys))

    def failed(self, *keys: str) -> None:
        for key in keys:
            tries = self.failures.pop(key, (0, 0.0))[0] + 1
            pause = min(LONGEST_WAIT, 2.0 ** (tries - FREE_TRIES + 1)) if tries >= FREE_TRIES else 0.0
            self.failures[key] = (tries, time.monotonic() + pause)
        while len(self.failures) > REMEMBERED:
            del self.failures[next(iter(self.failures))]

    def forget(self, *keys: str) -> None:
        for key in keys:
            self.failures.pop(key, None)


brake = Brake()


@router.get("/login")
def show(request: Request, next: str = "/") -> Response:
    return form(request, goal=next)


@router.post("/login")
async def log_in(request: Request) -> Response:
    given = await request.form(max_files=0, max_fields=8, max_part_size=10_000)
    name, password, goal = (str(given.get(key, "")) for key in ("name", "password", "next"))
    keys = (f"name {name[:100]}", f"from {request.client.host if request.client else ''}")
    wait = brake.wait(*keys)
    if wait > 0:
        hint = f"Try again in {wait:.0f} seconds."
        answer = form(request, 429, goal, name, "Too many tries.", hint)
        answer.headers["Retry-After"] = f"{wait:.0f}"
        return answer
    user = await run_in_threadpool(verified, name, password)
    if user is None:
        brake.failed(*keys)
        return form(request, 401, goal, name, "Name and password do not belong together.")
    brake.forget(*keys)
    return welcomed(request, user, goal)


@router.post("/logout")
def log_out() -> Response:
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(security.COOKIE, httponly=True, samesite="lax")
    return answer


def verified(name: str, password: str) -> User | None:
    with db.reading() as session:
        return users.verify(session, name, password)


def welcomed(request: Request, user: User, goal: str) -> Response:
    answer = RedirectResponse(navigation.local(goal or "/"), 303)
    answer.set_cookie(
        security.COOKIE,
        security.token(user, security.SESSION_DAYS),
        max_age=security.SESSION_DAYS * 86400,
        httponly=True,
        samesite="lax",
        secure=is_https(request),
    )
    return answer


def is_https(request: Request) -> bool:
    """Also behind a proxy that ends TLS. A forged header only makes the sender's own cookie stricter."""
    return "https" in (request.url.scheme, request.headers.get("x-forwarded-proto", ""))


def form(
    request: Request, status: int = 200, goal: str = "/", name: str = "", problem: str = "", hint: str = ""
) -> Response:
    title = "Log in"
    return shell.plain(
        "login.html", request, status, title=title, next=goal, name=name, problem=problem, hint=hint
    )
