"""Live fragments: the small pieces of HTML that show state, rendered here and placed by `static/live.js`.

    @fragment("run-header")
    def run_header(query: Query) -> Markup:
        with db.reading() as session:
            return render("run_header.html", run=runs.find(session, query.number("id")))

    gr.HTML('<div data-live="/parts/run-header" data-every="1"></div>')

Templates lie in this folder or beside their page, escape by default, and share the macros of `kit.html`.
This file knows no fragment by name. README.md beside it lists classes and attributes for page authors.
"""

import hashlib
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.datastructures import QueryParams

from app import navigation
from app.parts import assets, markdown, words
from studio.errors import NotFound, StudioError

Fragment = Callable[["Query"], "Markup | Paced"]
FRAGMENTS: dict[str, Fragment] = {}
HERE = Path(__file__).parent

router = APIRouter(include_in_schema=False)


class Query:
    """What the address asks for, with the page's own query string already in it."""

    def __init__(self, values: QueryParams):
        self.values = values

    def text(self, name: str, default: str = "") -> str:
        return self.values.get(name) or default

    def number(self, name: str) -> int:
        """One id. Raises StudioError when it is missing or no whole number."""
        value = self.maybe(name)
        if value is None:
            raise StudioError(
                f"This address names no {name}.", hint="Open it from the list instead.", field=name
            )
        return value

    def maybe(self, name: str, default: int | None = None) -> int | None:
        text = self.text(name)
        return whole(text, name) if text else default

    def numbers(self, name: str) -> list[int]:
        """Several ids: ?runs=7,8 or ?runs=7&runs=8, each once, in order."""
        given = (part for value in self.values.getlist(name) for part in value.split(","))
        return list(dict.fromkeys(whole(part, name) for part in given if part.strip()))


def whole(text: str, name: str) -> int:
    if not (text.strip().isascii() and text.strip().isdigit() and len(text) < 19):
        raise StudioError(
            f"'{text[:40]}' is not a number of a {name}.", hint="Open it from the list.", field=name
        )
    return int(text)


class Paced:
    """A fragment with a pace of its own: seconds until the browser asks again (0: when something acts)."""

    def __init__(self, body: Markup, every: float):
        self.body, self.every = body, every


def fragment(name: str) -> Callable[[Fragment], Fragment]:
    """Serve the decorated function at GET /parts/<name>."""

    def register(function: Fragment) -> Fragment:
        if name in FRAGMENTS and FRAGMENTS[name].__module__ != function.__module__:
            raise ValueError(f"two fragments are called {name}")
        FRAGMENTS[name] = function
        return function

    return register


@cache
def templates() -> Environment:
    folders = [HERE, HERE.parent / "pages"]
    made = Environment(
        loader=FileSystemLoader(folders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(words.FILTERS, markdown=markdown.markdown, attr_json=attr_json)
    made.globals.update(SHARED)
    return made


def attr_json(value: Any) -> str:
    """A value as JSON for an attribute: data-body="{{ {'name': name} | attr_json }}" (escaped)."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


SHARED: dict[str, Any] = {
    "asset": assets.address,
    "entries": navigation.entries,
    "marked": navigation.marked,
    "icons": navigation.ICONS,
}


def render(template: str, /, **values: Any) -> Markup:
    return Markup(templates().get_template(template).render(**values))


def live(name: str, every: float = 1, rows: int = 3, **query: Any) -> str:
    """The element that shows a fragment, with a skeleton until the first answer: gr.HTML(live("run-header")).

    `every`: seconds between looks (0: once). The page's own query string is always added.
    """
    return str(render("live.html", name=name, every=every, rows=rows, query=query))


@router.get("/parts/{name}")
def serve(name: str, request: Request) -> Response:
    """One fragment. 304 while nothing changed; an error a person may see comes as an error block."""
    headers: dict[str, str] = {}
    try:
        body, every = compose(name, Query(request.query_params))
        status = 200
    except StudioError as error:
        body, every = render("error.html", error=error), None
        status = 404 if isinstance(error, NotFound) else 422
    if every is not None:
        headers["Live-Every"] = f"{every:g}"
    return answer(body, status, headers, request.headers.get("if-none-match"))


def compose(name: str, query: Query) -> tuple[Markup, float | None]:
    if name not in FRAGMENTS:
        raise NotFound(f"There is no part called {name}.")
    made = FRAGMENTS[name](query)
    return (made.body, made.every) if isinstance(made, Paced) else (made, None)


def answer(body: str, status: int, headers: dict[str, str], known: str | None) -> Response:
    content = body.encode()
    tag = f'"{hashlib.blake2b(content, digest_size=9).hexdigest()}"'
    headers |= {"ETag": tag, "Cache-Control": "private, no-cache"}
    if status == 200 and known == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, status, headers, "text/html; charset=utf-8")
