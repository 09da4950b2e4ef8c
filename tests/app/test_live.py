"""One request for all that a page shows: its answers, their changes, who shares them, what fails alone."""

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter
from fastapi.testclient import TestClient
from markupsafe import Markup

from app import live, main
from app.api import metrics as metrics_api
from app.parts import Paced, Query, fragment
from studio import db, users
from studio.models import State
from tests import made_runs

counted: list[str] = []
router = APIRouter()


@fragment("live-counted")
def live_counted(query: Query) -> Paced:
    counted.append(query.text("q"))
    return Paced(Markup("\n").join(f"line {n} of {query.text('q')}" for n in range(90)), 3)


@fragment("live-moving")
def live_moving(_query: Query) -> Markup:
    counted.append("moved")
    lines = [f"<p>line {n}</p>" for n in range(60)]
    lines[len(counted)] = "<p>here</p>"
    return Markup("\n".join(lines))


@fragment("live-bug")
def live_bug(_query: Query) -> Markup:
    raise ZeroDivisionError("secret detail")


@pytest.fixture
def browser(database: Path) -> Iterator[TestClient]:
    counted.clear()
    app = main.assemble([], [metrics_api.router])
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        yield client


Look = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def look(browser: TestClient) -> Look:
    """Asks as the page does: addresses with the tags of what it has."""

    def ask(*asks: str, tags: list[str] | None = None, fresh: bool = True) -> list[dict[str, Any]]:
        asked = {"ask": list(asks), "tag": tags or [""] * len(asks)} | ({"fresh": "1"} if fresh else {})
        answer = browser.get("/live", params=asked)
        assert answer.status_code == 200, answer.text
        return list(answer.json())

    return ask


@pytest.fixture
def run(database: Path) -> int:
    with db.transaction() as session:
        model, data = made_runs.base(session), made_runs.version(session)
        return made_runs.made(session, model, data, State.RUNNING, losses=[3.0, 2.0], total=9).id


def test_fragments_and_charts_are_answered_together_as_they_would_be_alone(
    browser: TestClient, look: Look, run: int
) -> None:
    part, numbers = look("/parts/live-counted?q=a%26b", f"/api/metrics?run={run}&points=100")
    alone = browser.get("/parts/live-counted?q=a%26b")
    assert (part["status"], part["body"], part["every"]) == (200, alone.text, 3)
    assert "line 7 of a&amp;b" in part["body"]
    assert numbers["body"] == browser.get(f"/api/metrics?run={run}&points=100").json()
    assert numbers["body"]["series"][str(run)]["loss"]["values"] == [3.0, 2.0]


def test_what_has_not_changed_is_a_few_bytes(browser: TestClient, look: Look, run: int) -> None:
    asks = ["/parts/live-counted?q=x", f"/api/metrics?run={run}"]
    tags = [each["tag"] for each in look(*asks)]
    answer = browser.get("/live", params={"ask": asks, "tag": tags, "fresh": 1})
    assert answer.json() == [{"every": 3, "status": 304}, {"status": 304}]
    assert len(answer.content) < 60


def test_of_a_changed_text_only_the_changed_lines_are_sent(browser: TestClient, look: Look) -> None:
    (before,) = look("/parts/live-moving")
    (after,) = look("/parts/live-moving", tags=[before["tag"]])
    assert after["patch"] == [[1, 2, ["<p>line 1</p>", "<p>here</p>"]]]
    assert "body" not in after
    counted.pop()
    alone = browser.get("/parts/live-moving").text
    assert mended(before["body"].split("\n"), after["patch"]) == alone.split("\n")


def mended(lines: list[str], patch: list[Any]) -> list[str]:
    """As static/pulse.js does it."""
    for at, gone, put in patch:
        lines[at : at + gone] = put
    return lines


def test_lines_that_came_and_went_are_told() -> None:
    old = [f"line {n}" for n in range(40)]
    for new in (
        old[:5] + old[9:],
        [*old, "more"],
        ["first", *old],
        [*old[:3], "x", *old[5:30], "y", *old[31:]],
    ):
        patch = live.changes("\n".join(old).encode(), "\n".join(new).encode())
        assert patch is not None
        assert mended(list(old), patch) == new


def test_a_text_that_is_all_new_is_sent_whole() -> None:
    assert live.changes(b"a\nb\nc", b"d\ne\nf") is None


def test_a_bug_in_one_does_not_touch_the_others(look: Look, caplog: pytest.LogCaptureFixture) -> None:
    bug, gone, good = look("/parts/live-bug", "/parts/nowhere", "/parts/live-counted?q=x")
    assert (bug["status"], gone["status"], good["status"]) == (500, 404, 200)
    assert "Something went wrong inside the studio." in bug["body"]
    assert "secret detail" not in bug["body"]
    assert "secret detail" in caplog.text


def test_watchers_of_one_moment_share_an_answer_and_who_acted_does_not(look: Look) -> None:
    for _ in range(3):
        look("/parts/live-counted?q=shared", "/parts/live-counted?q=other", fresh=False)
    assert sorted(counted) == ["other", "shared"]
    look("/parts/live-counted?q=shared", fresh=True)
    assert counted.count("shared") == 2


def test_answers_are_not_kept_past_their_moment(
    browser: TestClient, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "SHARED", 0.0)
    monkeypatch.setattr(live, "REMEMBERED", 6000)
    for number in range(20):
        look(f"/parts/live-counted?q={number}", fresh=False)
    shared = main_shared(browser)
    assert len(shared.answers) <= 2
    assert shared.held == sum(map(len, shared.texts.values())) <= 6000


def main_shared(browser: TestClient) -> live.Shared:
    return browser.app.state.shared  # type: ignore[attr-defined]


def test_nothing_but_fragments_and_numbers_can_be_asked(browser: TestClient) -> None:
    for ask in ("/api/runs", "/settings", "http://elsewhere/parts/x", "//parts/x", "/live?ask=/parts/x"):
        answer = browser.get("/live", params={"ask": ask, "tag": ""})
        assert answer.status_code == 422, ask
    assert browser.get("/live", params={"ask": "/parts/live-counted"}).status_code == 422


def test_a_long_answer_is_packed_for_who_takes_it(browser: TestClient) -> None:
    asked = {"ask": "/parts/live-counted?q=x", "tag": ""}
    packed = browser.get("/live", params=asked)
    assert packed.headers["content-encoding"] == "gzip"
    plain = browser.get("/live", params=asked, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == packed.content  # the client unpacks
    assert len(gzip.compress(plain.content)) < len(plain.content) / 3


def test_where_people_log_in_nobody_else_is_answered(browser: TestClient) -> None:
    with db.transaction() as session:
        users.put(session, "ada", "a long enough password")
    answer = browser.get("/live", params={"ask": "/parts/live-counted?q=x", "tag": ""})
    assert answer.status_code == 401
    assert counted == []
