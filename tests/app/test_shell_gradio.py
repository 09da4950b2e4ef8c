"""The holes a mounted Gradio has, shown open without our settings and shut with them."""

from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app import main, navigation, pages
from app.toolkit import gr, in_loop


def probe_page() -> None:
    given = gr.File(label="Any", elem_id="any", interactive=True)
    shown = gr.File(label="Back", elem_id="back")
    given.change(
        lambda file: file, given, shown, api_visibility="private", queue=False, show_progress="hidden"
    )


PROBE = navigation.Page(path="/files", title="Files", build=probe_page, in_nav=False)


def mounted() -> tuple[FastAPI, gr.Blocks]:
    app = FastAPI()
    demo = in_loop(lambda: main.lay_out([PROBE]))
    in_loop(lambda: main.mount(app, demo))
    return app, demo


def call(client: TestClient, demo: gr.Blocks, path: Path) -> tuple[int, str]:
    """Asks the probe's event to take `path` as an uploaded file; returns status and answer."""
    number = next(iter(demo.fns))
    data = [{"path": str(path), "meta": {"_type": "gradio.FileData"}}]
    body = {"data": data, "fn_index": number, "session_hash": "probe"}
    answer = client.post("/gradio_api/run/predict", json=body)
    return answer.status_code, answer.text


@pytest.fixture
def secret(database: Path) -> Path:
    path = database / "secret.txt"
    path.write_text("the key of the house")
    return path


def test_a_file_named_by_a_client_is_refused(secret: Path) -> None:
    app, demo = mounted()
    with TestClient(app, raise_server_exceptions=False) as client:
        status, answer = call(client, demo, secret)
        assert status == 500
        assert secret.name not in answer
        assert client.get(f"/gradio_api/file={secret}").status_code == 404


def test_without_has_launched_the_same_file_would_be_served(secret: Path) -> None:
    app, demo = mounted()
    demo.has_launched = False
    with TestClient(app, raise_server_exceptions=False) as client:
        status, answer = call(client, demo, secret)
    assert status == 200
    assert secret.name in answer


@pytest.mark.parametrize(
    ("method", "address"),
    [
        ("POST", "/gradio_api/upload"),
        ("GET", "/gradio_api/file=/etc/passwd"),
        ("GET", "/gradio_api/file/etc/passwd"),
        ("GET", "/gradio_api/proxy=https://example.org/"),
        ("GET", "/gradio_api/info"),
        ("GET", "/gradio_api/openapi.json"),
        ("GET", "/gradio_api/deep_link?session_hash=x"),
        ("GET", "/gradio_api/runs"),
        ("GET", "/monitoring"),
        ("POST", "/gradio_api/vibe-edit"),
        ("POST", "/gradio_api/call/probe"),
        ("POST", "/gradio_api/component_server"),
        ("GET", "/gradio_api/custom_component/x/client/component/index.js"),
    ],
)
def test_a_door_of_gradio_that_no_page_needs_is_shut(database: Path, method: str, address: str) -> None:
    app = main.assemble([PROBE], [])
    with TestClient(app, base_url="http://127.0.0.1") as client:
        answer = client.request(method, address)
    assert answer.status_code == 404
    assert "There is no such page" in answer.text


def test_no_event_of_any_page_is_a_public_endpoint(database: Path) -> None:
    demo = in_loop(lambda: main.lay_out(pages.discover()))
    assert demo.get_api_info()["named_endpoints"] == {}
    assert demo.get_api_info()["unnamed_endpoints"] == {}
    public = [event.name for event in demo.fns.values() if event.api_visibility != "private"]
    assert public == []
