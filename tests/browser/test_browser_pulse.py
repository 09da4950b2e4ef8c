"""How an open page stays current: one request a second, none while hidden; a silent server."""

import re
import signal
import time
from collections.abc import Callable

from playwright.sync_api import Page, Request, Response, Route, expect

from tests.browser.conftest import UNREACHABLE, Guard
from tests.browser.looking import await_plot, complete, traces, visit
from tests.running import RunningStudio

ASKED = re.compile(r"/(live|parts|api/metrics)\b")
COUNT_FRAMES = """window.frames_asked = 0;
const frame = window.requestAnimationFrame;
window.requestAnimationFrame = (paint) => (frames_asked += 1, frame(paint));"""
HIDE = """(hidden) => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""
LIGHT = 1024  # bytes of a tick with nothing new


def noted(page: Page) -> list[str]:
    """Fills with the addresses the page asks from now on."""
    asked: list[str] = []

    def note(request: Request) -> None:
        if ASKED.search(request.url):
            asked.append(request.url)

    page.on("request", note)
    return asked


def test_every_page_asks_once_a_second_and_little_when_nothing_is_new(page: Page, trained: int) -> None:
    sizes: list[int] = []

    def weigh(answer: Response) -> None:
        if "/live?" in answer.url:
            sizes.append(len(answer.body()))

    for address in ("/", "/runs", f"/run?id={trained}", f"/compare?runs={trained},{trained}"):
        visit(page, address)
        page.wait_for_timeout(1500)
        asked = noted(page)
        page.on("response", weigh)
        sizes.clear()
        page.wait_for_timeout(5000)
        page.remove_listener("response", weigh)
        assert len(asked) <= 6, (address, asked)
        assert all(size < LIGHT for size in sizes), (address, sizes)


def test_a_running_run_is_watched_with_one_request_a_second(
    page: Page, studio: RunningStudio, train: Callable[..., int]
) -> None:
    run = train("Watched by one", max_steps=2000, eval_steps=1000, save_steps=1000)
    visit(page, f"/run?id={run}")
    await_plot(page, "plot.data.length")
    page.wait_for_timeout(1500)
    asked = noted(page)
    before = len(traces(page)[0]["x"])
    page.wait_for_timeout(6000)
    assert 5 <= len(asked) <= 7, asked
    assert all("/live?" in address and "run-now" in address for address in asked)
    assert all("metrics" in address and "run-view" in address for address in asked)
    assert 1 <= sum("run-doctor" in address for address in asked) <= 3  # slower ones ride along
    await_plot(page, "plot.data[0].x.length > arg", arg=before)

    page.evaluate(HIDE, True)
    page.wait_for_timeout(500)
    asked.clear()
    page.wait_for_timeout(3000)
    assert asked == []
    page.evaluate(HIDE, False)
    page.wait_for_timeout(300)
    assert len(asked) == 1
    studio.api.post(f"/api/runs/{run}/stop")
    studio.finish(run, state="cancelled")


def test_an_action_is_seen_at_once(page: Page, studio: RunningStudio, train: Callable[..., int]) -> None:
    run = train("Stopped at once", max_steps=2000, eval_steps=1000)
    visit(page, f"/run?id={run}")
    studio.reach(run, 3)
    page.get_by_role("button", name="Stop", exact=True).click()
    with page.expect_request(re.compile(r"/live\?.*run-header.*fresh=1")):
        page.get_by_role("dialog").get_by_role("button", name="Stop the run").click()
    studio.finish(run, state="cancelled")
    expect(page.locator("#run-header .chip")).to_have_text("stopped")


def test_a_server_that_hangs_is_noticed_and_its_return_is_said(
    page: Page, guard: Guard, studio: RunningStudio, trained: int, shot: Callable[..., None]
) -> None:
    guard.allow(UNREACHABLE + "|ERR_ABORTED|ERR_FAILED")
    visit(page, "/")
    bar = page.locator("#connection")
    expect(bar).to_have_count(0)
    web = studio.part("web")
    web.send_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        expect(bar).to_contain_text("Connection lost. Trying again…", timeout=20_000)  # the pace, and 5 s
        assert time.monotonic() - began > 4
        expect(bar).to_contain_text(re.compile(r"What you see is \d+ s old\."))
        asked = noted(page)
        page.wait_for_timeout(6000)
        assert len(asked) <= 2  # nothing piles up
        shot(page, "connection-slow")
    finally:
        web.send_signal(signal.SIGCONT)
    expect(bar).to_have_text("Connected again. What you see is current.", timeout=15_000)
    shot(page, "connection-back")
    expect(bar).to_have_count(0)


def test_a_lost_network_is_said_at_once_and_its_return_needs_no_reload(
    page: Page, guard: Guard, trained: int
) -> None:
    guard.allow("ERR_INTERNET_DISCONNECTED")
    visit(page, f"/run?id={trained}")
    await_plot(page, "plot.data.length")
    bar = page.locator("#connection")
    page.context.set_offline(True)
    expect(bar).to_contain_text("Connection lost", timeout=1000)
    page.context.set_offline(False)
    expect(bar).to_contain_text("Connected again", timeout=3000)
    complete(page)
    expect(bar).to_have_count(0)


def test_charts_are_drawn_though_their_script_was_not_to_be_had_at_first(
    page: Page, guard: Guard, trained: int
) -> None:
    guard.allow("ERR_FAILED")
    refused: list[Route] = []

    def refuse_once(route: Route) -> None:
        refused.append(route)
        if len(refused) == 1:
            route.abort()
        else:
            route.continue_()

    page.route("**/plotly-basic*", refuse_once)
    visit(page, f"/run?id={trained}")
    await_plot(page, "plot.data.length")
    assert len(refused) > 1


def test_a_page_at_rest_asks_for_no_frames(page: Page, trained: int) -> None:
    """Gradio's loading tracker would ask for 60 a second."""
    page.add_init_script(COUNT_FRAMES)
    visit(page, f"/run?id={trained}")
    await_plot(page, "plot.data.length")
    page.wait_for_timeout(1000)
    before = page.evaluate("frames_asked")
    page.wait_for_timeout(2000)
    assert page.evaluate("frames_asked") - before < 20
