"""The frame around every page, and Gradio inside it.

Gradio renders its pages from a template of its own; ours takes that template's place, so that navigation,
title and stylesheet are in the first byte instead of after two seconds of script, and every script of the
page carries the nonce of the content security policy. It adds no routes and knows no page.
"""

import re
from typing import Any

from fastapi import Request, Response
from jinja2 import ChoiceLoader, DictLoader

from app import navigation, parts
from app.toolkit import gr

GRADIO_PAGE = "frontend/index.html"


def install() -> None:
    """Put our template in the place of Gradio's index.html, with the addresses of its script and style."""
    env = gr.routes.templates.env
    source, _, _ = parts.templates().loader.get_source(parts.templates(), "gradio_page.html")  # type: ignore[union-attr]
    if isinstance(env.loader, ChoiceLoader):
        return
    script, style = entry_points(env.loader.get_source(env, GRADIO_PAGE)[0])
    env.globals.update(parts.SHARED, gradio_script=script, gradio_style=style, page_title=page_title)
    env.loader = ChoiceLoader([DictLoader({GRADIO_PAGE: source}), parts.templates().loader, env.loader])


def entry_points(index: str) -> tuple[str, str]:
    """The script and the stylesheet that Gradio's own index.html loads. Raises when it looks otherwise."""
    script = re.search(r'<script type="module" crossorigin src="(\./assets/[^"]+)"', index)
    style = re.search(r'<link rel="stylesheet" crossorigin href="(\./assets/[^"]+)"', index)
    if not (script and style):
        raise RuntimeError("this version of Gradio lays its index.html out differently; see app/shell.py")
    return script[1], style[1]


def page_title(path: str) -> str:
    page = navigation.find(path)
    return page.title if page else "Tunesmith"


def plain(template: str, request: Request, status: int = 200, **values: Any) -> Response:
    """A page without Gradio: log-in, not found, the API's documentation."""
    values = {"path": request.url.path, "person": request.scope.get("person", "")} | values
    return Response(parts.render(template, **values), status, media_type="text/html")
