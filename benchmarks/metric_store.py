"""Metrics beside TensorBoard, trackio and MLflow: the server's answer for 8 long runs, the spikes it still
shows, and what logging a step of 20 metrics costs the training loop.

    python benchmarks/metric_store.py [--points 1000000] [--peers tensorboard,trackio,mlflow]

Each peer is installed into an environment of its own in the user's cache folder; one that cannot be is named
as such. Every server runs as its project starts it and is asked over HTTP as its own page asks, with the same
numbers in it. By the clock, the median of five; beside it the server's processor time, their mean, which a
busy machine changes less. Ours is asked for what nobody has looked at yet, and again (tunesmith-again), when
it answers from memory as TensorBoard always does. TensorBoard is asked twice: as it comes, with 1,000 points
a run drawn at random, and told to keep all (tensorboard-whole). MLflow is left out beyond 200,000 points a
run: its answer takes as much longer as there are more.
Goals: 50 ms (8 × 100,000), ten times faster than each peer, 40 of 40 spikes, 20 µs a step.
"""

import argparse
import itertools
import json
import math
import os
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import metric_peers

ROOT = Path(__file__).resolve().parent.parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "tunesmith" / "benchmarks"
PEERS = {
    "tensorboard": "tensorboard",
    "tensorboard-whole": "tensorboard",
    "trackio": "trackio==0.43.0",
    "mlflow": "mlflow==3.17.0",
}
RUNS = 8
STEPS = 20_000


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--points", type=int, default=100_000, help="a run")
    options.add_argument("--peers", default=",".join(PEERS))
    given = options.parse_args()
    points = given.points
    print(f"{RUNS} runs × {points:,} points; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory(prefix="tunesmith-metrics-") as folder:
        mine = ours(Path(folder) / "ours", points)
        say("tunesmith", mine)
        again = mine | mine["again"]
        say("tunesmith-again", again)
        for name in filter(None, given.peers.split(",")):
            if name == "mlflow" and points > 200_000:
                print(f"{name:25} left out")
                continue
            found = peer(name, Path(folder) / name, points)
            if isinstance(found, str):
                print(f"{name:25} not measured: {found}")
                continue
            say(f"{name} {found['version']}", found)
            for words, own in (("ours", mine), ("ours again", again)):
                than = {key: own[key] or math.nan for key in RATIOS.values()}
                ratios = [f"{what} {found[key] / than[key]:,.1f}×" for what, key in RATIOS.items()]
                print(f"{'':25} against {words}: {', '.join(ratios)}")
    print(f"load at the end {os.getloadavg()[0]:.1f}")


RATIOS = {"answer": "ms", "server's processor": "cpu_ms", "a step": "log_us"}


def say(name: str, found: dict[str, Any]) -> None:
    print(
        f"{name:25} answer {found['ms']:9,.1f} ms ({found['cpu_ms']:,.0f} ms of processor), "
        f"{found['points']:,} points a run, spikes kept {found['spikes']} of {metric_peers.SPIKES}, "
        f"20 metrics logged in {found['log_us']:,.1f} µs",
        flush=True,
    )


# ---- ours -------------------------------------------------------------------------------------------------


def ours(folder: Path, points: int) -> dict[str, Any]:
    os.environ |= {"TUNESMITH_DATA": str(folder), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    from studio import db, metrics, migration
    from studio.models import Run, State

    migration.upgrade()
    known = []
    for number in range(RUNS):
        values = metric_peers.numbers(number, points)
        with db.transaction() as session:
            run = Run(name=f"run-{number}", technique="sft", attempt=1, state=State.SUCCEEDED, step=points)
            session.add(run)
            session.flush()
            known.append(run.id)
        for first in range(0, points, 5000):  # as the runner writes them
            rows = [
                {"step": step, "time": metric_peers.BEGAN + step, "data": {"loss": values[step]}}
                for step in range(first, min(points, first + 5000))
            ]
            with db.transaction() as session:
                metrics.append(session, known[-1], rows)
    db.engine().dispose()
    fresh = map(str, itertools.count())  # asked with a name that is new each time, nothing of it is in memory
    first = metric_peers.measure(serve, lambda port: ask(port, known, next(fresh)), RUNS)
    again = metric_peers.measure(serve, lambda port: ask(port, known), RUNS)
    return first | {"again": again, "log_us": log(folder / "spool.jsonl")}


def serve(port: int) -> Any:
    return metric_peers.start("-m", "app.cli", "web", TUNESMITH_PORT=str(port))


def ask(port: int, known: list[int], beside: str = "") -> list[list[Any]]:
    runs = "&".join(f"run={run}" for run in known)
    found = metric_peers.fetch(
        f"http://127.0.0.1:{port}/api/metrics?{runs}&key=loss&key={beside}&points=1200"
    )
    return [found["series"][str(run)]["loss"]["values"] for run in known]


def log(file: Path) -> float:
    from worker.telemetry import Spool

    spool = Spool(file)
    return metric_peers.cost(lambda step: spool.metric(step, metric_peers.twenty(step)), STEPS)


# ---- theirs -----------------------------------------------------------------------------------------------


def peer(name: str, folder: Path, points: int) -> dict[str, Any] | str:
    """What was measured, or why nothing was."""
    python = environment(name)
    if isinstance(python, str):
        return python
    call = (
        f"from benchmarks import metric_peers; metric_peers.main({name!r}, {str(folder)!r}, {RUNS}, {points})"
    )
    done = subprocess.run(
        [python, "-c", call],
        cwd=ROOT,
        env=os.environ | {"TRACKIO_DIR": str(folder / "trackio"), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def environment(name: str) -> Path | str:
    """Python of an environment with that peer, made once. Torch, which one writer needs, is ours."""
    folder = CACHE / name.partition("-")[0]
    python = folder / "bin" / "python"
    if (folder / "ready").exists():
        return python
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
    installed = subprocess.run(
        [python, "-m", "pip", "install", "-q", PEERS[name], "numpy"],
        capture_output=True,
        text=True,
        check=False,
    )
    if installed.returncode:
        return f"{PEERS[name]} cannot be installed: {installed.stderr.strip().splitlines()[-1]}"
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "after_its_own.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    (folder / "ready").touch()
    return python


if __name__ == "__main__":
    main()
