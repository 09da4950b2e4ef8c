"""A day of use in one go: what the web process holds in memory before and after.

    python -m benchmarks.web_memory [--loads 1000] [--viewers 50] [--ticks 1000]

A studio of its own with running runs. Warm-up: a hundred page loads, two rounds of all pages in Chromium and
a moment of all viewers. Then page loads over every page, as a browser does them (page, theme, and one look at
all of its fragments and charts; which routes Chromium asked is printed), ten rounds of all pages in Chromium,
and viewers of running runs who ask without pause: a day has 86,400 ticks a viewer, some thousand in a row
stand for it. Memory is noted over time. Goal: it grows by less than 10 %.
"""

import argparse
import asyncio
import json
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from itertools import cycle, islice
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
from playwright.sync_api import Page, Request, sync_playwright

from benchmarks.pages_open import CHARTS, PART, POINTS, OpenPage, client
from benchmarks.watching import started, web_alone
from tests.running import RunningStudio, until

GOAL = 1.10  # times what it held after the warm-up
RUNS = 4
WARM = {"loads": 100, "rounds": 2, "ticks": 20}
COMPLETE = '() => document.querySelector("[data-live]") && !document.querySelector("[aria-busy=true]")'
DEEPER = [
    "/run?id={}",
    "/run?id={}&tab=samples",
    "/run?id={}&tab=log",
    "/new-run?clone={}",
    "/compare?runs=1,{}",
]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--loads", type=int, default=1000)
    options.add_argument("--viewers", type=int, default=50)
    options.add_argument("--ticks", type=int, default=1000)
    options.add_argument("--rounds", type=int, default=10, help="of all pages in Chromium")
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="tunesmith-memory-") as folder:
        studio = web_alone(Path(folder))
        runners = started(studio, "--as", "runners", "--runs", str(RUNS))
        try:
            until(lambda: len(studio.api.get("/api/runs").json()) == RUNS, 120, "the runs")
            use(studio, given.loads, given.viewers, given.ticks, given.rounds)
        finally:
            runners.kill()
            runners.wait()
            studio.close()


def use(studio: RunningStudio, loads: int, viewers: int, ticks: int, rounds: int) -> None:
    pages = addresses(studio)
    held = Held(studio)
    held.note("at first")
    load(studio, pages, WARM["loads"])
    asked = look_around(studio, pages, WARM["rounds"])
    asyncio.run(watch(studio.url, viewers, WARM["ticks"]))
    before = held.note("warm")
    for part in range(1, 5):
        load(studio, pages, loads // 4)
        held.note(f"{loads * part // 4} loads")
    look_around(studio, pages, rounds)
    held.note(f"{rounds * len(pages)} loads in Chromium")
    for part in range(1, 5):
        errors = asyncio.run(watch(studio.url, viewers, ticks // 4))
        after = held.note(f"{viewers} viewers, {ticks * part // 4} ticks")
        assert not errors, errors[:3]
    growth = {name: round(after[name] / before[name], 3) for name in before}
    print(json.dumps({"growth": growth, "goal": GOAL, "pages": len(pages), "asked by a browser": asked}))


class Held:
    """Notes what the web process holds, and prints it."""

    def __init__(self, studio: RunningStudio):
        assert studio.launcher
        self.web, self.began = psutil.Process(studio.launcher.pid), time.monotonic()
        print(f"{'min':>5} {'RSS MB':>8} {'USS MB':>8} {'PSS MB':>8} {'threads':>8} {'files':>6}  after")

    def note(self, what: str) -> dict[str, float]:
        memory = self.web.memory_full_info()
        held = {name: getattr(memory, name) / 1e6 for name in ("rss", "uss", "pss")}
        minutes, threads, files = (
            (time.monotonic() - self.began) / 60,
            self.web.num_threads(),
            self.web.num_fds(),
        )
        figures = " ".join(f"{value:8.1f}" for value in held.values())
        print(f"{minutes:5.1f} {figures} {threads:8} {files:6}  {what}", flush=True)
        return held


# ---- pages -----------------------------------------------------------------------------------------------


def addresses(studio: RunningStudio) -> list[str]:
    """Every page of the navigation, and pages of single runs and techniques."""
    frame = studio.api.get("/").text
    named = re.findall(r'href="(/[a-z-]*)"', frame[frame.index('<nav id="nav"') : frame.index("</nav>")])
    techniques = [f"/technique?id={each['name']}" for each in studio.api.get("/api/techniques").json()]
    return [*named, *(page.format(run) for page in DEEPER for run in range(2, RUNS + 1)), *techniques[:3]]


def load(studio: RunningStudio, pages: list[str], count: int) -> None:
    for address in islice(cycle(pages), count):
        load_one(studio.api, address)


def load_one(browser: httpx.Client, address: str) -> None:
    """As a browser whose cache has all scripts and styles: page, theme, and what its fragments name."""
    page = browser.get(address, headers={"Accept": "text/html"})
    assert page.status_code == 200, address
    theme = re.search(r"/theme\.css\?v=\w+", page.text)
    browser.get(theme[0] if theme else "/theme.css")
    look = [completed(part, address) for part in PART.findall(page.text)]
    while look:
        answer = browser.get("/live", params={"ask": look, "tag": [""] * len(look), "fresh": 1})
        assert answer.status_code == 200, (address, answer.text)
        bodies = "".join(one["body"] for one in answer.json() if isinstance(one.get("body"), str))
        for charts in CHARTS.findall(bodies):
            browser.get(f"{unescape(charts)}&points={POINTS}")
        look = [completed(unescape(part), address) for part in PART.findall(bodies)]


def completed(part: str, address: str) -> str:
    query = urlsplit(address).query
    return part + (("&" if "?" in part else "?") + query if query else "")


@contextmanager
def chromium(studio: RunningStudio) -> Iterator[Page]:
    with sync_playwright() as player:
        browser = player.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        try:
            yield browser.new_page(base_url=studio.url)
        finally:
            browser.close()


def look_around(studio: RunningStudio, pages: list[str], rounds: int) -> list[str]:
    """All pages in Chromium; returns which routes of the studio it asked besides files."""
    asked: set[str] = set()

    def note(request: Request) -> None:
        asked.add(urlsplit(request.url).path)

    with chromium(studio) as browser:
        browser.on("request", note)
        for address in pages * rounds:
            browser.goto(address)
            browser.wait_for_function(COMPLETE)
    files = ("/ours/", "/assets/", "/static/")
    return sorted(path for path in asked if path and not path.startswith(files))


# ---- viewers ---------------------------------------------------------------------------------------------


async def watch(address: str, viewers: int, ticks: int) -> list[str]:
    """Everybody watches a running run for so many ticks, without pause; returns what went wrong."""
    async with client(address, viewers) as connections:
        pages = [OpenPage(connections, 1 + n % RUNS) for n in range(viewers)]

        async def stay(page: OpenPage) -> None:
            await page.open()
            for _ in range(ticks):
                await page.tick()

        await asyncio.gather(*map(stay, pages))
    return [error for page in pages for error in page.errors]


if __name__ == "__main__":
    main()
