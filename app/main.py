"""Builds the web application: guard, pages, fragments, API. It wires and does not think.

uvicorn --factory app.main:build
"""

import os
import warnings

from fastapi import APIRouter, FastAPI, Request
from fastapi.routing import APIRoute
from starlette.routing import Mount
from starlette.types import Receive, Scope, Send

from app import api, docs, errors, live, login, navigation, pages, parts, security, shell, theme
from app.parts import assets
from app.toolkit import gr, in_loop, without_servers
from studio import settings

SESSIONS_KEPT = 200  # Gradio keeps about 100 kB a page view
KEEP_FILES = (3600, 86_400)  # seconds: look every hour, delete Gradio's temporary files after a day
LARGEST_EVENT = 2**20  # bytes Gradio itself accepts in a file; uploads go through our own API


def build() -> FastAPI:
    return assemble(pages.discover(), api.routers())


def assemble(found: list[navigation.Page], routers: list[APIRouter]) -> FastAPI:
    """The application of these pages and API routers, guarded."""
    os.environ["GRADIO_TEMP_DIR"] = str(settings.get().folder / "cache" / "gradio")
    app = FastAPI(
        title="Tunesmith",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        generate_unique_id_function=operation,
    )
    errors.install(app)
    app.state.shared = live.Shared()
    for router in (assets.router, login.router, parts.router, live.router, docs.router, *routers):
        app.include_router(router)
    app.get("/health", include_in_schema=False)(health)
    in_loop(lambda: mount(app, lay_out(found)))
    app.add_middleware(security.Guard)
    return app


def operation(route: APIRoute) -> str:
    return f"{route.endpoint.__module__.rsplit('.', 1)[-1]}_{route.name}"


async def health() -> dict[str, bool]:
    return {"ok": True}


@without_servers()
def lay_out(found: list[navigation.Page]) -> gr.Blocks:
    """Every page as a route of one Gradio application."""
    with gr.Blocks(
        title="Tunesmith", analytics_enabled=False, fill_width=True, delete_cache=KEEP_FILES
    ) as demo:
        for page in found:
            if page.path == "/":
                page.build()
    for page in found:
        if page.path != "/":
            with demo.route(page.title, page.path, show_in_navbar=False):
                page.build()
    return demo


def mount(app: FastAPI, demo: gr.Blocks) -> None:
    """Gradio behind its doors, last of all routes, with the settings a mounted app does not get by itself."""
    shell.install()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="SSR mode is not supported with multi-page apps")
        gr.mount_gradio_app(
            app,
            demo,
            path="/",
            theme=theme.studio(),
            footer_links=[],
            run_history=False,
            enable_monitoring=False,
            ssr_mode=False,
            mcp_server=False,
            pwa=False,
            show_error=False,
            max_file_size=LARGEST_EVENT,
        )
    demo.has_launched = True  # or Gradio serves any file a client names: tests/app/test_shell_files.py
    demo.state_session_capacity = SESSIONS_KEPT
    demo._queue.sleep_when_free = 0.01  # its 1 ms default burns 6 % of a core while nothing happens
    gradio = app.routes[-1]
    assert isinstance(gradio, Mount)
    demo.app = gradio.app  # its queue asks there for the addresses of answers
    gradio.app = security.Doors(gradio.app, closed, [f"/{path}" for path, *_ in demo.pages])


async def closed(scope: Scope, receive: Receive, send: Send) -> None:
    answer = errors.not_here(Request(scope))
    await answer(scope, receive, send)
