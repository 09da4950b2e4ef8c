"""Many people watch running runs on one web process: how long each waits for an answer.

    python -m benchmarks.watching [--people 100] [--seconds 60] [--runs 4]

Starts a studio of its own with runs that log ten times a second, as a trainer's runner writes it. A process
of its own stands for the browsers: everybody has a run's page open and sends its one request a second, with
what it was answered before, as `static/pulse.js` does. Goals: 95 of 100 answers within 200 ms, and no error.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import psutil

from benchmarks.pages_open import OpenPage, client
from studio import db, metrics
from studio.models import Run, State
from tests import made_runs
from tests.running import RunningStudio, until

GOALS = {"p95_ms": 200, "errors": 0}
LOGGED = 10  # times a second, a run
EARLIER = 5000  # rows each run has logged before anybody looks
MOVED = 0.25  # seconds between two looks of a runner into what its trainer has logged
KEYS = ["loss", "grad_norm", "learning_rate", "mean_token_accuracy", "entropy", "num_tokens"]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--people", type=int, default=100)
    options.add_argument("--seconds", type=float, default=60)
    options.add_argument("--runs", type=int, default=4)
    options.add_argument("--as", dest="part", choices=("people", "runners"), help=argparse.SUPPRESS)
    options.add_argument("--address", help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.part == "people":
        print(json.dumps(asyncio.run(people(given.address, given.people, given.seconds, given.runs))))
    elif given.part == "runners":
        log_for_ever(given.runs)
    else:
        measure(given.people, given.seconds, given.runs)


def measure(people: int, seconds: float, runs: int) -> None:
    with tempfile.TemporaryDirectory(prefix="tunesmith-watching-") as folder:
        studio = web_alone(Path(folder))
        counts = ["--runs", str(runs), "--people", str(people), "--seconds", str(seconds)]
        runners = started(studio, "--as", "runners", *counts)
        try:
            until(lambda: len(studio.api.get("/api/runs").json()) == runs, 120, "the runs")
            assert studio.launcher
            web = psutil.Process(studio.launcher.pid)
            before, began = sum(web.cpu_times()[:2]), time.monotonic()
            watchers = started(
                studio, "--as", "people", "--address", studio.url, *counts, stdout=subprocess.PIPE
            )
            found = json.loads(watchers.communicate()[0])
            spent = (sum(web.cpu_times()[:2]) - before) / (time.monotonic() - began)
            found |= {"web_cpu_percent": round(100 * spent), "web_mb": round(web.memory_info().rss / 1e6)}
        finally:
            runners.kill()
            runners.wait()
            studio.close()
    print(json.dumps(found | {"people": people, "runs": runs, "goals": GOALS, "load": os.getloadavg()[0]}))


def web_alone(folder: Path) -> RunningStudio:
    """A studio without a worker: the runs in it are written by us."""
    studio = RunningStudio(folder / "data", TUNESMITH_BROKER="memory://")
    migrated = studio.tunesmith("migrate")
    assert migrated.returncode == 0, migrated.stderr
    with (folder / "web.log").open("wb") as output:
        command = [sys.executable, "-m", "app.cli", "web"]
        studio.launcher = subprocess.Popen(command, env=studio.environment, stdout=output, stderr=output)
    until(studio.answers, 120, "the web process")
    return studio


def started(studio: RunningStudio, *words: str, **pipes: Any) -> subprocess.Popen[bytes]:
    """This file in a process of its own, in the settings of the studio."""
    command = [sys.executable, "-m", "benchmarks.watching", *words]
    return subprocess.Popen(command, env=studio.environment, **pipes)


# ---- the runs --------------------------------------------------------------------------------------------


def log_for_ever(count: int) -> None:
    with db.transaction() as session:
        model, data = made_runs.base(session), made_runs.version(session)
        going = [
            made_runs.made(session, model, data, State.RUNNING, total=1_000_000, name=f"Watched {n}").id
            for n in range(1, count + 1)
        ]
    random, step = Random(7), 0
    log(going, step, EARLIER, random)
    step += EARLIER
    while True:
        time.sleep(MOVED)
        rows = round(MOVED * LOGGED) or 1
        log(going, step, rows, random)
        step += rows


def log(going: list[int], step: int, rows: int, random: Random) -> None:
    """As each run's runner writes what its trainer logged, and how far it is."""
    for run_id in going:
        made = [
            {
                "step": step + n + 1,
                "time": time.time(),
                "data": {key: random.uniform(0.5, 1.0) for key in KEYS},
            }
            for n in range(rows)
        ]
        with db.transaction() as session:
            metrics.append(session, run_id, made)
            run = session.get_one(Run, run_id)
            run.step, run.latest = step + rows, made[-1]["data"]


# ---- the people ------------------------------------------------------------------------------------------


async def people(address: str, count: int, seconds: float, runs: int) -> dict[str, Any]:
    """Everybody's page is open before anything is noted; then each asks at a moment of its own."""
    async with client(address, count) as connections:
        pages = [OpenPage(connections, 1 + n % runs) for n in range(count)]
        for page in pages:
            await page.open()
        first = max(wait for page in pages for wait in page.waits)
        for page in pages:
            page.waits.clear()
            page.sizes.clear()
        random = Random(11)
        await asyncio.gather(*(page.stay(seconds, random.random()) for page in pages))
    waits = np.array([wait for page in pages for wait in page.waits]) * 1000
    sizes = np.array([size for page in pages for size in page.sizes])
    errors = [error for page in pages for error in page.errors]
    p50, p95 = np.percentile(waits, [50, 95])
    return {
        "answers": len(waits),
        "p50_ms": round(float(p50), 1),
        "p95_ms": round(float(p95), 1),
        "max_ms": round(float(waits.max()), 1),
        "first_ms": round(1000 * first, 1),
        "bytes_p50": int(np.median(sizes)),
        "errors": len(errors),
        "such_as": sorted(set(errors))[:3],
    }


if __name__ == "__main__":
    main()
