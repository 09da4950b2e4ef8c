"""The web process: start to first page, what that costs, and what it holds in memory.

    python benchmarks/web_start.py [--times 5]

Each time: `tunesmith web` on a fresh, migrated SQLite folder; seconds and CPU seconds until the first page is
answered, then memory after 20 page loads in Chromium, over all of the navigation. That no torch is in the
process is read from its memory maps. Goals: at most 5 s and 300 MB.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

import httpx
import psutil
from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.running import ROOT, RunningStudio

GOALS = {"seconds": 5, "memory_mb": 300}
PAGES = [
    "/",
    "/guide",
    "/datasets",
    "/runs",
    "/compare",
    "/try",
    "/models",
    "/techniques",
    "/workers",
    "/settings",
]
LOADS = 20
COMPLETE = '() => document.querySelector("[data-live]") && !document.querySelector("[aria-busy=true]")'
LONGEST = 120.0  # seconds until we give up


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--times", type=int, default=5)
    times = options.parse_args().times
    measured = []
    with sync_playwright() as player:
        browser = player.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        for _ in range(times):
            with tempfile.TemporaryDirectory(prefix="tunesmith-web-") as folder:
                measured.append(one(Path(folder), browser.new_page()))
            print(json.dumps(measured[-1]), flush=True)
        browser.close()
    medians = {name: round(statistics.median(each[name] for each in measured), 2) for name in measured[0]}
    print(json.dumps({"median of": len(measured)} | medians | {"goals": GOALS, "load": os.getloadavg()[0]}))


def one(folder: Path, page: Page) -> dict[str, float]:
    """Seconds and CPU seconds to the first page; resident memory then, and after `LOADS` page loads."""
    studio = RunningStudio(folder / "data")
    migrated = studio.tunesmith("migrate")
    assert migrated.returncode == 0, migrated.stderr
    with (folder / "web.log").open("wb") as output:
        began = time.monotonic()
        web = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "web"],
            cwd=ROOT,
            env=studio.environment,
            stdout=output,
            stderr=output,
        )
    process = psutil.Process(web.pid)
    try:
        while not answered(studio, "/"):
            assert web.poll() is None, (folder / "web.log").read_text()
            assert time.monotonic() - began < LONGEST, "nobody answers"
            time.sleep(0.02)
        seconds, used = time.monotonic() - began, process.cpu_times()
        at_first = process.memory_info().rss
        for path in islice(cycle(PAGES), LOADS):
            page.goto(studio.url + path)
            page.wait_for_function(COMPLETE)
        maps = Path(f"/proc/{web.pid}/maps").read_text()
        assert "libtorch" not in maps, "torch is loaded"
        return {
            "seconds": round(seconds, 2),
            "cpu_seconds": round(used.user + used.system, 2),
            "memory_mb_at_first": round(at_first / 1e6),
            "memory_mb": round(process.memory_info().rss / 1e6),
        }
    finally:
        web.terminate()
        web.wait(30)
        studio.api.close()


def answered(studio: RunningStudio, page: str) -> bool:
    try:
        return studio.api.get(page).status_code == 200
    except httpx.TransportError:
        return False


if __name__ == "__main__":
    main()
