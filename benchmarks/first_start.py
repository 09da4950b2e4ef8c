"""From a fresh clone to the first loss point: `git clone`, `make demo`, then the same again a second time.

    python benchmarks/first_start.py [--keep] [--cold]

Clones HEAD into a temporary folder, runs `make demo` there on a free port, and waits for the first point of
run 1 through the API and, in Chromium, on the run's page. Prints seconds since `make` was called. The second
start goes on with the run that the first one's end interrupted. `--cold` takes away the caches of pip and uv,
as on a new machine. Goals: at most 360 s first, at most 30 s second, on two cores.
"""

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
GOALS = {"first": 360, "second": 30}
LONGEST = 900.0  # seconds until we give up
DRAWN = """() => (document.querySelector('[data-metric="loss"] .js-plotly-plot')?.data ?? [])
  .some((line) => line.y.length > 0)"""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--keep", action="store_true", help="leave the clone where it is")
    options.add_argument("--cold", action="store_true", help="an empty package cache")
    chosen = options.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tunesmith-first-start-"))
    clone = folder / "tunesmith"
    try:
        subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", ROOT, clone], check=True)
        environment = surroundings(folder, cold=chosen.cold)
        for start in GOALS:
            measured = demo(clone, environment)
            measured["goal"] = GOALS[start]
            print(json.dumps({"start": start} | measured), flush=True)
    finally:
        if not chosen.keep:
            shutil.rmtree(folder, ignore_errors=True)


def surroundings(folder: Path, *, cold: bool) -> dict[str, str]:
    """A person's environment: none of this studio's settings, a port of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TUNESMITH_")}
    kept.pop("VIRTUAL_ENV", None)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        kept["TUNESMITH_PORT"] = str(probe.getsockname()[1])
    if cold:
        kept |= {"UV_CACHE_DIR": str(folder / "uv"), "PIP_NO_CACHE_DIR": "1"}
    return kept


def demo(clone: Path, environment: dict[str, str]) -> dict[str, float]:
    """Seconds until: the page answers, the API has a point, Chromium shows it."""
    address = f"http://127.0.0.1:{environment['TUNESMITH_PORT']}"
    losses = f"{address}/api/metrics?run=1&key=loss"
    began = time.monotonic()
    log = clone.parent / "make.log"
    with log.open("ab") as output, chromium() as page:
        process = subprocess.Popen(
            ["make", "demo", "ARGS=--no-open"],
            cwd=clone,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:

            def wait(look: Callable[[], object], what: str) -> float:
                while not look():
                    assert process.poll() is None, f"make ended: {log.read_text()[-3000:]}"
                    assert time.monotonic() - began < LONGEST, f"no {what}: {log.read_text()[-3000:]}"
                    time.sleep(0.1)
                return round(time.monotonic() - began, 1)

            answered = wait(lambda: ask(f"{address}/health"), "web process")
            page.goto(f"{address}/run?id=1", timeout=60_000)
            counted = wait(lambda: ask(losses).get("series", {}).get("1"), "point")
            drawn = wait(lambda: page.evaluate(DRAWN), "drawn point")
            return {"web": answered, "first point": counted, "drawn in Chromium": drawn}
        finally:
            os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C in a terminal does
            process.wait(120)


@contextmanager
def chromium() -> Iterator[Page]:
    with sync_playwright() as player:
        browser = player.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-background-networking", "--disable-component-update"],
        )
        try:
            yield browser.new_page()
        finally:
            browser.close()


def ask(url: str) -> dict[str, Any]:
    """The JSON there; nothing while nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return dict(json.load(answer))
    except (urllib.error.URLError, OSError):
        return {}


if __name__ == "__main__":
    main()
