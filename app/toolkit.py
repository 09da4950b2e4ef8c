"""Imports Gradio the way the studio wants it; everything in `app` that needs Gradio gets it after this.

- No message to any outside host (analytics, hub telemetry).
- No `.pyi` stubs: Gradio writes one for each of its own classes at every import, which took half of the
  import's CPU time (2.05 s with, 1.17 s without, on two shared cores).

It builds no page and no app.
"""

import asyncio
import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"


@contextmanager
def without_stubs() -> Iterator[None]:
    """While this is open, Gradio cannot find its classes' source files, and so writes no stub beside them.

    `gradio.component_meta.create_or_modify_pyi` returns at once when `inspect.getfile` raises OSError.
    """
    find = inspect.getfile

    def find_unless_gradio(thing: Any) -> str:
        if isinstance(thing, type) and thing.__module__.startswith("gradio."):
            raise OSError(f"{thing.__qualname__} needs no stub")
        return find(thing)

    inspect.getfile = find_unless_gradio  # type: ignore[assignment]
    try:
        yield
    finally:
        inspect.getfile = find


with without_stubs():
    import gradio as gr


@contextmanager
def without_servers() -> Iterator[None]:
    """While this is open, closing a Blocks context builds no web application.

    Gradio builds a whole one at the end of every page (about 100 routes, 50 ms); mounting builds the last.
    """
    build = gr.routes.App.create_app
    gr.routes.App.create_app = lambda *_arguments, **_named: None
    try:
        yield
    finally:
        gr.routes.App.create_app = build


T = TypeVar("T")


def in_loop(work: Callable[[], T]) -> T:
    """Calls `work` while an event loop runs: outside one Gradio opens one for each lock and closes none."""

    async def inside() -> T:
        return work()

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(inside())
    return work()


def html(markup: str, elem_id: str | None = None) -> gr.HTML:
    """Our own HTML on a page, without Gradio's type styles and padding. `markup` never holds user text."""
    return gr.HTML(markup, elem_id=elem_id, apply_default_css=False, padding=False)


__all__ = ["gr", "html", "in_loop", "without_servers"]
