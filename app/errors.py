"""How errors reach people: as JSON from the API, as a toast from a Gradio button, as a page elsewhere.

Only StudioError is told in words. Anything else is a bug: the person gets a short number, the log the rest.
"""

import functools
import html
import logging
import secrets
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from app import parts, shell
from app.toolkit import gr
from studio.errors import NotFound, Refused, StudioError

log = logging.getLogger(__name__)

NOT_HERE = "There is no such page or file here."
START_AGAIN = "The address may be mistyped, or the thing it named was deleted."


def install(app: FastAPI) -> None:
    app.add_exception_handler(StudioError, tell)
    app.add_exception_handler(RequestValidationError, tell_invalid)
    app.add_exception_handler(HTTPException, tell_http)
    app.add_exception_handler(Exception, tell_bug)


def status(error: StudioError) -> int:
    if isinstance(error, NotFound):
        return 404
    return 409 if isinstance(error, Refused) else 422


async def tell(_request: Request, error: Exception) -> Response:
    assert isinstance(error, StudioError)
    return JSONResponse(error.as_dict(), status(error))


async def tell_invalid(_request: Request, error: Exception) -> Response:
    """The first thing wrong with a request, in the words pydantic has for it."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path"))
    message = f"{field}: {first['msg']}" if field else str(first["msg"])
    return JSONResponse(
        {"error": message, "hint": "/docs shows what this address takes.", "field": field}, 422
    )


async def tell_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return not_here(request)
    return JSONResponse({"error": str(error.detail), "hint": ""}, error.status_code, error.headers)


async def tell_bug(request: Request, error: Exception) -> Response:
    number = secrets.token_hex(3)
    log.error("error %s at %s %s", number, request.method, request.url.path, exc_info=error)
    message = "Something went wrong inside the studio."
    hint = f"It is not your doing. The log of the web process has it under the number {number}."
    if wants_page(request):
        return shell.plain("not_found.html", request, 500, title="Error", message=message, hint=hint)
    if request.url.path.startswith("/parts/"):
        return parts.answer(parts.render("error.html", error=StudioError(message, hint)), 500, {}, None)
    return JSONResponse({"error": message, "hint": hint, "id": number}, 500)


def not_here(request: Request) -> Response:
    if wants_page(request):
        return shell.plain(
            "not_found.html", request, 404, title="Not found", message=NOT_HERE, hint=START_AGAIN
        )
    return JSONResponse({"error": NOT_HERE, "hint": START_AGAIN}, 404)


def wants_page(request: Request) -> bool:
    return request.method in ("GET", "HEAD") and "text/html" in request.headers.get("accept", "")


def told(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Decorates a Gradio event handler: what a person can mend becomes a toast instead of a traceback.

    The text is escaped: toasts render HTML, and messages quote file names and column names of users.
    """

    @functools.wraps(handler)
    def wrapped(*arguments: Any, **named: Any) -> Any:
        try:
            return handler(*arguments, **named)
        except StudioError as error:
            raise toast(error) from error

    return wrapped


def toast(error: StudioError) -> gr.Error:
    text = html.escape(error.message) + (f"<br>{html.escape(error.hint)}" if error.hint else "")
    return gr.Error(text, duration=12, title="That did not work", print_exception=False)
