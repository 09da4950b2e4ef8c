"""Charts as somebody sees them in Chromium: eight long runs compared, click → drawn; eight runs watched live.

    python -m benchmarks.charts_drawn [--points 100000] [--runs 8] [--times 7] [--seconds 60]

Compared: on the page of runs with the runs chosen, from the click on “Compare” until every chart in sight is
drawn, by the page's own clock; each time a new page. Live: ten points a second are logged to each run, as its
runner does it, while the page that compares them is open. Logged → drawn is looked at once a frame. Bytes are
those on the wire, headers too. The browser's processor time is that of all its processes.
Goals: 1.0 s at 8 × 100,000, 1.5 s at 8 × 1,000,000; live 95 of 100 points within 1.2 s, 5 KB a request, 15 %
of a core.
"""

import argparse
import gzip
import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks import metric_peers

ROOT = Path(__file__).resolve().parent.parent
GOALS = {100_000: 1.0, 1_000_000: 1.5}
LIVE, KB, SHARE = 1.2, 5.0, 0.15
A_SECOND = 10
CHUNK = 5000  # rows at once, as the runner writes them
IN_SIGHT = """() => {
  const charts = [...document.querySelectorAll(".chart")].filter((chart) => {
    const { top, bottom } = chart.getBoundingClientRect();
    return bottom > 0 && top < innerHeight;
  });
  if (!charts.length) document.querySelector(".chart")?.scrollIntoView({ block: "nearest" });
  return charts.length > 0 && charts.every((chart) => chart.querySelector(".scatterlayer .trace path"));
}"""
NOTE_CLICK = """() => addEventListener("click", () =>
  sessionStorage.setItem("clicked", performance.timeOrigin + performance.now()), { capture: true })"""
SINCE_CLICK = (
    """() => (performance.timeOrigin + performance.now() - sessionStorage.getItem("clicked")) / 1000"""
)
NOTE_DRAWN = """() => {
  window.drawn = {};
  const look = () => {
    const plot = document.querySelector('[data-metric="loss"] .js-plotly-plot');
    for (const line of plot?.data ?? []) {
      const last = line.x.at(-1);
      if (last !== undefined) (window.drawn[line.meta] ??= []).at(-1)?.[0] === last
        || window.drawn[line.meta].push([last, Date.now() / 1000]);
    }
    requestAnimationFrame(look);
  };
  look();
}"""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--points", type=int, default=100_000, help="a run")
    options.add_argument("--runs", type=int, default=8)
    options.add_argument("--times", type=int, default=7, help="pages opened")
    options.add_argument("--seconds", type=int, default=60, help="of watching")
    given = options.parse_args()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory(prefix="tunesmith-charts-") as folder:
        os.environ |= {"TUNESMITH_DATA": folder, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        long = fill(given.runs, given.points, "SUCCEEDED")
        watched = fill(given.runs, 200, "RUNNING")
        with studio() as address, chromium() as browser:
            compared(browser, address, long, given)
            live(browser, address, watched, given.seconds)
    print(f"load at the end {os.getloadavg()[0]:.1f}")


def fill(runs: int, points: int, state: str) -> list[int]:
    from studio import db, metrics, migration
    from studio.models import Run, State

    migration.upgrade()
    known = []
    for number in range(runs):
        values = metric_peers.numbers(number, max(points, 100))
        with db.transaction() as session:
            run = Run(
                name=f"{points} points, {number + 1}",
                technique="sft",
                attempt=1,
                state=State[state],
                step=points,
                total_steps=2 * points,
            )
            session.add(run)
            session.flush()
            known.append(run.id)
        for first in range(0, points, CHUNK):
            rows = [row(step, values[step]) for step in range(first, min(points, first + CHUNK))]
            with db.transaction() as session:
                metrics.append(session, known[-1], rows)
    db.engine().dispose()
    return known


def row(step: int, loss: float, moment: float | None = None) -> dict[str, Any]:
    """What a run of SFT logs with each step, in short."""
    data = {"loss": loss, "grad_norm": 1 / (loss + 2), "learning_rate": 1e-4 / (step + 1)}
    data |= {"mean_token_accuracy": 1 / (1 + loss), "num_tokens": 1000.0 * step}
    return {"step": step, "time": moment or metric_peers.BEGAN + step, "data": data}


@contextmanager
def studio() -> Iterator[str]:
    """The web process as it comes."""
    port = 8197
    server = metric_peers.start("-m", "app.cli", "web", TUNESMITH_PORT=str(port))
    address = f"http://127.0.0.1:{port}"
    try:
        metric_peers.wait_for(lambda: [metric_peers.fetch(f"{address}/health")], 1)
        yield address
    finally:
        os.killpg(server.pid, 15)
        server.wait(30)


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as player:
        browser = player.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield browser
        browser.close()


# ---- compared ---------------------------------------------------------------------------------------------


def compared(browser: Browser, address: str, runs: list[int], given: argparse.Namespace) -> None:
    waited = [click_to_drawn(browser, address, runs) for _ in range(given.times)]
    middle, late = np.percentile(waited, [50, 95])
    goal = GOALS.get(given.points)
    print(
        f"compare {given.runs} runs × {given.points:,} points: click → drawn {middle:.2f} s, p95 {late:.2f} s"
    )
    if goal:
        print(f"  goal {goal} s: {verdict(middle <= goal)}")


def click_to_drawn(browser: Browser, address: str, runs: list[int]) -> float:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    try:
        page.goto(f"{address}/runs?pick={','.join(map(str, runs))}")
        link = page.get_by_role("link", name=f"Compare {len(runs)} runs")
        link.wait_for()
        page.wait_for_timeout(1000)  # as long as somebody needs to find it, so that the page has settled
        page.evaluate(NOTE_CLICK)
        link.click()
        page.wait_for_url("**/compare?*", wait_until="commit")
        page.wait_for_function(IN_SIGHT, polling="raf", timeout=120_000)
        return float(page.evaluate(SINCE_CLICK))
    finally:
        page.close()


def verdict(met: bool) -> str:
    return "met" if met else "missed"


# ---- live -------------------------------------------------------------------------------------------------


def live(browser: Browser, address: str, runs: list[int], seconds: int) -> None:
    """With the charts on the whole screen: first what watching costs, then how long points take."""
    over = threading.Event()
    logged: dict[int, dict[int, float]] = {run: {} for run in runs}
    writers = [threading.Thread(target=write, args=(run, logged[run], over)) for run in runs]
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    try:
        page.goto(f"{address}/compare?runs={','.join(map(str, runs))}")
        page.wait_for_function(IN_SIGHT)
        page.locator('[data-metric="loss"]').evaluate("(chart) => chart.scrollIntoView()")
        for place, writer in enumerate(writers):
            time.sleep(0.4 / len(runs) * (place > 0))
            writer.start()
        page.wait_for_timeout(5000)
        said_cost(page, seconds)
        page.evaluate(NOTE_DRAWN)
        page.wait_for_timeout(1000 * seconds)
        over.set()
        page.wait_for_timeout(3000)
        said_latency(page.evaluate("drawn"), logged)
    finally:
        over.set()
        page.close()


def write(run: int, logged: dict[int, float], over: threading.Event) -> None:
    """A step every tenth of a second, moved into the database every 0.4 s, as a run's own runner does it."""
    from sqlalchemy import update

    from studio import db, metrics
    from studio.models import Run

    step, held, moved = 200, [], time.time()
    chance = np.random.default_rng(run)
    while not over.wait(1 / A_SECOND):
        step += 1
        held.append(row(step, float(0.3 + chance.random() / 5), time.time()))
        if time.time() - moved >= 0.4:
            with db.transaction() as session:
                metrics.append(session, run, held)
                session.execute(update(Run).where(Run.id == run).values(step=step))
            logged |= {each["step"]: each["time"] for each in held}
            held, moved = [], time.time()


def said_cost(page: Page, seconds: int) -> None:
    wire = page.context.new_cdp_session(page)
    wire.send("Network.enable")
    asked: dict[str, str] = {}
    answers: list[tuple[str, str, int]] = []
    wire.on(
        "Network.requestWillBeSent", lambda said: asked.update({said["requestId"]: said["request"]["url"]})
    )
    wire.on(
        "Network.loadingFinished",
        lambda said: answers.append(
            (said["requestId"], asked.get(said["requestId"], ""), int(said["encodedDataLength"]))
        ),
    )
    before, began = browser_time(), time.monotonic()
    page.wait_for_timeout(1000 * seconds)
    share = (browser_time() - before) / (time.monotonic() - began)
    news = [(known, size) for known, url, size in answers if "api%2Fmetrics" in url or "/api/metrics" in url]
    sizes = [size / 1000 for _, size in news]
    alone = [part / 1000 for known, _ in news[-5:] if (part := charts_part(wire, known))]
    total = sum(size for _, _, size in answers) / 1000 / seconds
    middle, late = np.percentile(sizes, [50, 95])
    print(
        f"live: {len(news)} requests with news of charts in {seconds} s: {middle:.2f} KB, p95 {late:.2f} KB"
    )
    print(f"  the charts' own part {np.median(alone):.2f} KB; all of the page's requests {total:.2f} KB/s")
    print(f"  goal {KB} KB: {verdict(middle <= KB)}")
    print(f"  all processes of the browser: {100 * share:.1f} % of a core")
    print(f"  goal {100 * SHARE:.0f} %: {verdict(share <= SHARE)}")


def charts_part(wire: Any, known: str) -> int:
    """What the charts' answer alone would be, packed."""
    body = json.loads(wire.send("Network.getResponseBody", {"requestId": known})["body"])
    parts = [each.get("body") for each in body] if isinstance(body, list) else [body]
    charts = [part for part in parts if isinstance(part, dict) and "series" in part]
    return len(gzip.compress(json.dumps(charts[0], separators=(",", ":")).encode(), 3)) if charts else 0


def browser_time() -> float:
    """Processor seconds of all processes of the browser."""
    found = [each for each in psutil.Process().children(recursive=True) if "chrom" in each.name().lower()]
    return sum(sum(each.cpu_times()[:2]) for each in found if each.is_running())


def said_latency(drawn: dict[str, list[list[float]]], logged: dict[int, dict[int, float]]) -> None:
    waited = []
    for run, moments in logged.items():
        seen = drawn[str(run)]
        first = seen[0][0]
        for step, at in moments.items():
            when = next((moment for last, moment in seen if last >= step), None)
            if step > first and when is not None:
                waited.append(when - at)
    middle, late = np.percentile(waited, [50, 95])
    print(f"live: {len(waited)} points, logged → drawn {middle:.2f} s, p95 {late:.2f} s")
    print(f"  goal p95 {LIVE} s: {verdict(late <= LIVE)}")


if __name__ == "__main__":
    main()
