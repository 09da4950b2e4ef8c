"""The frame around every page, and Gradio inside it.

Gradio renders its pages from a template of its own; ours takes that template's place, so that navigation,
title and stylesheet are in the first byte instead of after two seconds of script, and every script of the
page carries the nonce of the content security policy. It adds no routes and knows no page.
"""

import re
from typing import Any

from fastapi import Request, Response
from jinja2 import ChoiceLoader, DictLoader, FileSystemLoader

from app import navigation, parts
from app.toolkit import gr

GRADIO_PAGE = "frontend/index.html"


def install() -> None:
    """Put our template in the place of Gradio's index.html, with the addresses of its script and style."""
    theirs, ours = gr.routes.templates.env, FileSystemLoader(parts.HERE)
    if isinstance(theirs.loader, ChoiceLoader):
        return
    script, style = entry_points(theirs.loader.get_source(theirs, GRADIO_PAGE)[0])
    theirs.globals.update(parts.SHARED, gradio_script=script, gradio_style=style, page_title=page_title)
    page = DictLoader({GRADIO_PAGE: ours.get_source(theirs, "gradio_page.html")[0]})
    theirs.loader = ChoiceLoader([page, ours, theirs.loader])


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
