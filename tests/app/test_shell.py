"""The frame, the fragments and the files of `static/`, through the real application."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import APIRouter
from fastapi.testclient import TestClient
from markupsafe import Markup

from app import main, navigation, pages, parts, shell
from app.parts import Paced, Query, assets, fragment, render
from app.toolkit import gr, html
from studio.errors import NotFound, Refused, StudioError

HTML = {"Accept": "text/html,application/xhtml+xml"}
router = APIRouter()


def build_probe() -> None:
    html('<div data-live="/parts/probe"></div>', elem_id="probe")


PROBE = navigation.Page(path="/probe", title="Probe <page>", build=build_probe, in_nav=False)


@fragment("probe")
def probe(query: Query) -> Markup:
    return render("error.html", error=StudioError(query.text("say", "hello"), hint="<b>hint</b>"))


@fragment("probe-slow")
def probe_slow(_query: Query) -> Paced:
    return Paced(Markup("<p>done</p>"), 30)


@fragment("probe-missing")
def probe_missing(query: Query) -> Markup:
    raise NotFound(f"There is no run {query.number('id')}.", hint="Open it from the list.")


@fragment("probe-bug")
def probe_bug(_query: Query) -> Markup:
    raise ZeroDivisionError("secret detail")


@router.get("/api/probe/{kind}")
def fail(kind: str, size: int = 0) -> None:
    errors = {"bad": StudioError("Too small.", field="size"), "gone": NotFound("Gone."), "no": Refused("No.")}
    raise errors[kind]


@pytest.fixture
def browser(database: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setitem(navigation.PAGES, PROBE.path, PROBE)
    app = main.assemble([PROBE], [router])
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        yield client


def test_a_page_comes_with_frame_title_and_gradio_in_the_first_answer(browser: TestClient) -> None:
    page = browser.get("/probe", headers=HTML)
    assert page.status_code == 200
    assert page.text.startswith("<!doctype html>")
    assert "<title>Probe &lt;page&gt; · Tunesmith</title>" in page.text
    assert 'aria-label="Pages"' in page.text
    assert "window.gradio_config" in page.text


def test_a_page_names_no_outside_host(browser: TestClient) -> None:
    page = browser.get("/probe", headers=HTML).text
    assert not re.findall(r'(?:src|href|content)="(?:https?:)?//', page)


def test_the_stylesheet_of_a_page_is_kept_for_ever_under_its_hash(browser: TestClient) -> None:
    address = re.search(r'href="(/ours/studio\.css\?v=\w+)"', browser.get("/probe", headers=HTML).text)
    assert address
    answer = browser.get(address[1])
    assert answer.headers["cache-control"].endswith("immutable")
    assert answer.headers["content-encoding"] == "gzip"
    assert browser.get("/ours/studio.css").headers["cache-control"] == "no-cache"


def test_no_file_outside_static_can_be_named(browser: TestClient) -> None:
    for name in ("../pyproject.toml", "..%2fpyproject.toml", "%2e%2e/pyproject.toml", "/etc/passwd"):
        assert browser.get(f"{assets.MOUNT}/{name}").status_code == 404


def test_a_fragment_escapes_what_it_is_given(browser: TestClient) -> None:
    answer = browser.get("/parts/probe", params={"say": "<img src=x onerror=alert(1)>"})
    assert "<img" not in answer.text
    assert "&lt;img src=x onerror=alert(1)&gt;" in answer.text


def test_an_unchanged_fragment_is_not_sent_again(browser: TestClient) -> None:
    first = browser.get("/parts/probe")
    again = browser.get("/parts/probe", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_fragment_may_set_its_own_pace(browser: TestClient) -> None:
    assert browser.get("/parts/probe-slow").headers["live-every"] == "30"


def test_an_error_in_a_fragment_is_an_error_block_with_the_next_step(browser: TestClient) -> None:
    answer = browser.get("/parts/probe-missing?id=7")
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "There is no run 7." in answer.text
    assert "Open it from the list." in answer.text


def test_an_address_without_its_number_says_so(browser: TestClient) -> None:
    assert "names no id" in browser.get("/parts/probe-missing").text
    assert "is not a number" in browser.get("/parts/probe-missing?id=7;drop").text


def test_a_bug_in_a_fragment_shows_a_number_and_keeps_its_details_in_the_log(browser: TestClient) -> None:
    answer = browser.get("/parts/probe-bug")
    assert answer.status_code == 500
    assert "under the number" in answer.text
    assert "secret detail" not in answer.text


@pytest.mark.parametrize(("kind", "status"), [("bad", 422), ("gone", 404), ("no", 409)])
def test_the_api_tells_an_error_in_json(browser: TestClient, kind: str, status: int) -> None:
    answer = browser.get(f"/api/probe/{kind}")
    assert answer.status_code == status
    assert "error" in answer.json()


def test_a_request_the_api_cannot_read_names_the_field(browser: TestClient) -> None:
    answer = browser.get("/api/probe/bad?size=large")
    assert answer.status_code == 422
    assert answer.json()["field"] == "size"


def test_an_unknown_address_is_a_page_for_people_and_json_for_programs(browser: TestClient) -> None:
    page = browser.get("/nowhere", headers=HTML)
    assert page.status_code == 404
    assert "Go to the first page" in page.text
    assert browser.get("/nowhere").json()["error"]


def test_the_api_is_documented_without_outside_scripts(browser: TestClient) -> None:
    page = browser.get("/docs")
    assert page.status_code == 200
    assert "/api/probe/{kind}" in page.text
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page.text)


def test_the_same_address_cannot_belong_to_two_pages() -> None:
    navigation.register(PROBE)
    try:
        with pytest.raises(ValueError, match="two pages claim"):
            navigation.register(navigation.Page(path="/probe", title="Other", build=build_probe))
    finally:
        del navigation.PAGES["/probe"]


def test_several_numbers_are_read_from_one_or_many_parameters() -> None:
    from starlette.datastructures import QueryParams

    assert Query(QueryParams("runs=7,8&runs=8&runs=9")).numbers("runs") == [7, 8, 9]


def test_a_gradio_of_another_layout_is_refused_at_start() -> None:
    with pytest.raises(RuntimeError, match="out differently"):
        shell.entry_points("<html></html>")


def test_a_bug_in_gradio_handlers_stays_loud_and_an_error_of_the_person_becomes_a_toast() -> None:
    from app.errors import told

    def refuse() -> None:
        raise StudioError("No column <b>.", hint="Map one.")

    with pytest.raises(gr.Error) as caught:
        told(refuse)()
    assert "No column &lt;b&gt;." in caught.value.message
    assert "Map one." in caught.value.message
    with pytest.raises(ZeroDivisionError):
        told(lambda: 1 / 0)()


def test_the_web_process_imports_no_torch_and_starts_small() -> None:
    script = """
import json, sys
import app.main, psutil
print(json.dumps({"torch": "torch" in sys.modules, "mb": psutil.Process().memory_info().rss / 1e6}))
"""
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    told = json.loads(out.stdout)
    assert not told["torch"]
    assert told["mb"] < 300


def test_importing_gradio_writes_no_stub() -> None:
    import gradio

    def written() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in Path(gradio.__file__).parent.rglob("*.pyi")}

    before = written()
    subprocess.run([sys.executable, "-c", "import app.toolkit"], check=True)
    assert written() == before


def test_every_page_of_the_studio_has_a_title_and_its_fragments_are_named_once(database: Path) -> None:
    found = pages.discover()
    assert all(page.title and page.path.startswith("/") for page in found)
    assert len({page.path for page in found}) == len(found)
    assert parts.FRAGMENTS
