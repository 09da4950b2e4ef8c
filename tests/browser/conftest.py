"""One real studio and one real Chromium for all browser tests, and a page that fails on anything unwanted.

The studio is `tunesmith up` in a folder of its own: real web process, real worker, real trainings on the
starter model. They end with this folder's last test, so that no other test shares the machine with them.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Dialog,
    Page,
    Request,
    ViewportSize,
    sync_playwright,
)

from tests.running import ROOT, SAMPLE, RunningStudio, until

SCREENSHOTS = ROOT / "tests" / "screenshots"
CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
DESK: ViewportSize = {"width": 1440, "height": 900}
# A refused request or a silent server shows in the console; tests that cause one say so.
REFUSED, UNREACHABLE = r"status of 4\d\d", "ERR_CONNECTION|ERR_EMPTY_RESPONSE|ERR_INCOMPLETE_CHUNKED"
SHORT = {
    "max_steps": 60,
    "save_steps": 20,
    "eval_steps": 20,
    "per_device_train_batch_size": 8,
    "sample_prompts": 2,
    "sample_tokens": 12,
    "max_length": 128,
}
# A violation of the content security policy becomes an error in the console, whatever else the browser says.
TELL_VIOLATIONS = """addEventListener("securitypolicyviolation", (event) =>
  console.error(`CSP: ${event.violatedDirective} blocked ${event.blockedURI}`))"""


# ---- the studio ------------------------------------------------------------------------------------------


@pytest.fixture(scope="package")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStudio]:
    running = RunningStudio(tmp_path_factory.mktemp("studio"))
    running.start()
    try:
        yield running
    finally:
        running.close()


@pytest.fixture(scope="package")
def data(studio: RunningStudio, tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """Version ids: 60 `labelled` directions to learn from and 6 `held_out` ones with their answers."""
    folder = tmp_path_factory.mktemp("files")

    def part(source: str, name: str, rows: int) -> int:
        path = folder / f"{name}.jsonl"
        path.write_text("".join((SAMPLE / source).read_text().splitlines(keepends=True)[:rows]))
        return int(studio.upload(path, name)["id"])

    return {
        "labelled": part("train.jsonl", "Directions", 60),
        "held_out": part("test.jsonl", "Held out", 6),
    }


@pytest.fixture(scope="package")
def train(studio: RunningStudio, data: dict[str, int]) -> Callable[..., int]:
    """Launches a training of the starter model; keyword arguments change its settings. Returns its id."""

    def launch(name: str, **settings: Any) -> int:
        return studio.launch(
            name=name,
            model="Tunesmith starter",
            dataset=data["labelled"],
            held_out=data["held_out"],
            adapter="full",
            parameters=SHORT | settings,
        )

    return launch


@pytest.fixture(scope="package")
def trained(studio: RunningStudio, train: Callable[..., int]) -> int:
    """A run of 60 steps that has succeeded; its model can be asked."""
    run = train("Directions, first")
    studio.finish(run)
    return run


@pytest.fixture
def new_studio(database: Path, tmp_path: Path) -> Iterator[RunningStudio]:
    """A web process on an empty folder: nothing uploaded, nothing trained, no worker."""
    fresh = RunningStudio(database, TUNESMITH_BROKER="memory://")
    with (tmp_path / "web.log").open("wb") as output:
        fresh.launcher = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "web"],
            cwd=ROOT,
            env=fresh.environment,
            stdout=output,
            stderr=output,
        )
    try:
        until(fresh.answers, 60, "the web process")
        yield fresh
    finally:
        fresh.close()


# ---- the browser -----------------------------------------------------------------------------------------


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with sync_playwright() as player:
        chromium = player.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM)
        yield chromium
        chromium.close()


@dataclass
class Guard:
    """Collects what no page may do. `allow` names errors that the test itself brings about."""

    host: str
    problems: list[str] = field(default_factory=list)
    allowed: list[str] = field(default_factory=list)

    def allow(self, pattern: str) -> None:
        self.allowed.append(pattern)

    def note(self, problem: str) -> None:
        if not any(re.search(pattern, problem) for pattern in self.allowed):
            self.problems.append(problem)

    def heard(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.note(f"console: {message.text} at {message.location}")

    def asked(self, request: Request) -> None:
        if not request.url.startswith((f"{self.host}/", "data:", "blob:")):
            self.note(f"request to another host: {request.url}")

    def interrupted(self, dialog: Dialog) -> None:
        self.note(f"dialog: {dialog.message}")
        dialog.dismiss()

    def watch(self, context: BrowserContext) -> None:
        context.add_init_script(TELL_VIOLATIONS)
        context.on("request", self.asked)
        context.on("console", self.heard)
        context.on("weberror", lambda error: self.note(f"page error: {error.error}"))
        context.on("dialog", self.interrupted)


@pytest.fixture
def guard(studio: RunningStudio) -> Guard:
    return Guard(studio.url)


@pytest.fixture
def page(studio: RunningStudio, browser: Browser, guard: Guard) -> Iterator[Page]:
    """A fresh profile, 1440 px wide and light. Fails its test on an error in the page or the console, on a
    violation of the content security policy, on a native dialog and on a request to any other host."""
    context = open_context(browser, studio.url)
    guard.watch(context)
    yield context.new_page()
    context.close()
    assert not guard.problems, "\n".join(guard.problems)


def open_context(browser: Browser, address: str) -> BrowserContext:
    context = browser.new_context(
        base_url=address, viewport=DESK, color_scheme="light", reduced_motion="reduce", locale="en-GB"
    )
    context.set_default_timeout(20_000)
    return context


@pytest.fixture
def new_guard(new_studio: RunningStudio) -> Guard:
    return Guard(new_studio.url)


@pytest.fixture
def new_page(new_studio: RunningStudio, browser: Browser, new_guard: Guard) -> Iterator[Page]:
    """The same as `page`, in the empty studio."""
    context = open_context(browser, new_studio.url)
    new_guard.watch(context)
    yield context.new_page()
    context.close()
    assert not new_guard.problems, "\n".join(new_guard.problems)


@pytest.fixture
def shot() -> Callable[[Page, str], None]:
    """Saves what is to be seen as tests/screenshots/<name>.png."""
    SCREENSHOTS.mkdir(exist_ok=True)

    def save(page: Page, name: str, *, whole: bool = False) -> None:
        page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=whole)

    return save
