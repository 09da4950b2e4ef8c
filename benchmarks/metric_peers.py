"""The other sides of `benchmarks.metric_store`: the same numbers put into TensorBoard, trackio and MLflow,
the same question asked of their servers as their own pages ask it, the same step logged by their own means.

Runs in an environment of its own; imports only what that has. Prints one line of JSON.
"""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

SPIKE, SPIKES = 9.0, 40
TIMES = 5
STEPS = {
    "tensorboard": 1000,
    "tensorboard-whole": 1000,
    "trackio": 2000,
    "mlflow": 100,
}  # logged to see what one costs
BEGAN = 1_700_000_000.0


def numbers(run: int, points: int) -> list[float]:
    """A falling loss with noise, and 40 spikes of one step at random places, so that no stride suits them."""
    chance = np.random.default_rng(run)
    found = np.exp(-3 * np.arange(points) / points) + chance.normal(0, 0.05, points)
    found[chance.choice(points, SPIKES, replace=False)] = SPIKE
    return [float(value) for value in found]


def main(side: str, folder: str, runs: int, points: int) -> None:
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    fill, serve, ask = SIDES[side]
    began = time.monotonic()
    known = fill(place, runs, points)
    filled = time.monotonic() - began
    answer = measure(lambda port: serve(place, port), lambda port: ask(port, known), runs)
    logged = LOG[side](place / "logging", STEPS[side])
    print(json.dumps({"fill_s": filled, "log_us": logged, "version": version(side)} | answer))


def measure(serve: Callable[[int], Any], ask: Callable[[int], list[list[Any]]], runs: int) -> dict[str, Any]:
    """Milliseconds until the answer is there, processor time of the server for it, and what it holds."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = serve(port)
    try:
        lines = wait_for(lambda: ask(port), runs)
        clock, spent = [], []
        for _ in range(TIMES):
            began, before = time.perf_counter(), processor(server.pid)
            lines = ask(port)
            clock.append(1000 * (time.perf_counter() - began))
            spent.append(1000 * (processor(server.pid) - before))
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)
    kept = [sum(value == SPIKE for value in line) for line in lines]
    middle = TIMES // 2
    return {
        "ms": sorted(clock)[middle],
        "cpu_ms": sum(spent) / TIMES,  # their mean: the clock of a process counts in hundredths of a second
        "points": max(map(len, lines)),
        "spikes": min(kept),
    }


def wait_for(ask: Callable[[], list[list[Any]]], runs: int) -> list[list[Any]]:
    """Asks until every run is there, as a server that reads files needs its time."""
    deadline, sizes = time.monotonic() + 300, [0]
    while time.monotonic() < deadline:
        try:
            lines = ask()
        except (urllib.error.URLError, ConnectionError, TimeoutError, KeyError):
            lines = []
        before, sizes = sizes, [len(line) for line in lines]
        if len(lines) == runs and all(sizes) and sizes == before:
            return lines
        time.sleep(1)
    raise SystemExit("the server did not answer in five minutes")


def processor(pid: int) -> float:
    """Processor seconds of a process and those it started."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return 0.0
    own = sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")
    return own + sum(processor(int(child)) for child in children)


def start(*command: str, **environment: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, *command],
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def fetch(url: str, body: bytes | None = None, kind: str = "application/json") -> Any:
    asked = urllib.request.Request(url, body, {"Content-Type": kind} if body else {})
    with urllib.request.urlopen(asked, timeout=300) as answer:
        return json.loads(answer.read())


def cost(log: Callable[[int], None], steps: int) -> float:
    """Microseconds the caller waits for one step, in the fastest of ten parts: what else runs only adds."""
    log(0)
    parts = []
    for part in range(10):
        began = time.perf_counter()
        for step in range(1 + part * steps // 10, 1 + (part + 1) * steps // 10):
            log(step)
        parts.append((time.perf_counter() - began) / (steps // 10))
    return 1e6 * min(parts)


def twenty(step: int) -> dict[str, float]:
    return {f"rewards/grader_{n}/mean": 1 / 3 + step * n for n in range(20)}


def version(side: str) -> str:
    import importlib.metadata

    return importlib.metadata.version(side.partition("-")[0])


# ---- TensorBoard: event files; its page asks for one tag of all runs -------------------------------------


def fill_tensorboard(place: Path, runs: int, points: int) -> None:
    from tensorboard.compat.proto import event_pb2, summary_pb2
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    for run in range(runs):
        writer = EventFileWriter(str(place / "events" / f"run-{run}"), max_queue_size=10_000)
        for step, value in enumerate(numbers(run, points)):
            summary = summary_pb2.Summary(value=[{"tag": "loss", "simple_value": value}])
            writer.add_event(event_pb2.Event(step=step, wall_time=BEGAN + step, summary=summary))
        writer.close()


def serve_tensorboard(place: Path, port: int) -> Any:
    return start("-m", "tensorboard.main", "--logdir", str(place / "events"), "--port", str(port))


def serve_tensorboard_whole(place: Path, port: int) -> Any:
    """Told to keep every point; by default it keeps 1,000 of a run, drawn at random."""
    return start(
        *("-m", "tensorboard.main", "--logdir", str(place / "events"), "--port", str(port)),
        *("--samples_per_plugin", "scalars=10000000"),
    )


def ask_tensorboard(port: int, _known: None) -> list[list[Any]]:
    asked = json.dumps([{"plugin": "scalars", "tag": "loss"}])
    body = urllib.parse.urlencode({"requests": asked}).encode()
    form = "application/x-www-form-urlencoded"
    (found,) = fetch(f"http://127.0.0.1:{port}/data/plugin/timeseries/timeSeries", body, form)
    return [[each["value"] for each in line] for line in found["runToSeries"].values()]


def log_tensorboard(place: Path, steps: int) -> float:
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(place))

    def log(step: int) -> None:
        for key, value in twenty(step).items():
            writer.add_scalar(key, value, step)

    found = cost(log, steps)
    writer.close()
    return found


# ---- trackio: SQLite; its page asks for all that runs logged ---------------------------------------------


def fill_trackio(place: Path, runs: int, points: int) -> list[str]:
    os.environ["TRACKIO_DIR"] = str(place / "trackio")
    from trackio.sqlite_storage import SQLiteStorage

    for run in range(runs):
        rows = [{"loss": value} for value in numbers(run, points)]
        times = [f"2026-01-01T00:{n // 60 % 60:02}:{n % 60:02}+00:00" for n in range(points)]
        SQLiteStorage.bulk_log("bench", f"run-{run}", rows, list(range(points)), times)
    return [f"run-{run}" for run in range(runs)]


def serve_trackio(place: Path, port: int) -> Any:
    show = f"import trackio; trackio.show('bench', open_browser=False, block_thread=True, server_port={port})"
    return start("-c", show, TRACKIO_DIR=str(place / "trackio"))


def ask_trackio(port: int, known: list[str]) -> list[list[Any]]:
    asked = {"project": "bench", "runs": [{"run": name} for name in known], "scalar_only": True}
    found = fetch(f"http://127.0.0.1:{port}/api/get_logs_batch", json.dumps(asked).encode())
    lines = found["data"] if isinstance(found, dict) else found
    return [[row["loss"] for row in line["logs"]] for line in lines]


def log_trackio(place: Path, steps: int) -> float:
    import trackio

    trackio.init(project="logging", name="one", embed=False)
    found = cost(lambda step: trackio.log(twenty(step), step=step), steps)
    trackio.finish()
    return found


# ---- MLflow: SQLite; its page asks for a sample of one metric of all runs --------------------------------


def fill_mlflow(place: Path, runs: int, points: int) -> list[str]:
    import mlflow

    file = place / "mlflow.db"
    client = mlflow.MlflowClient(f"sqlite:///{file}")
    experiment = client.create_experiment("bench", artifact_location=str(place / "artifacts"))
    made = []
    for run in range(runs):
        made.append(client.create_run(experiment).info.run_id)
        client.log_metric(made[-1], "loss", 0.0, timestamp=0, step=0)
        # its own log_batch writes some thousand a second
        rows = [
            ("loss", value, int(1000 * (BEGAN + step)), made[-1], step, 0)
            for step, value in enumerate(numbers(run, points))
        ]
        database = sqlite3.connect(file)
        with database:
            database.execute("DELETE FROM metrics WHERE run_uuid = ?", (made[-1],))
            columns = '"key", value, timestamp, run_uuid, step, is_nan'
            database.executemany(f"INSERT INTO metrics ({columns}) VALUES (?, ?, ?, ?, ?, ?)", rows)
        database.close()
    return made


def serve_mlflow(place: Path, port: int) -> Any:
    store = f"sqlite:///{place}/mlflow.db"
    where = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    return start("-m", "mlflow", "server", "--backend-store-uri", store, *where)


def ask_mlflow(port: int, known: list[str]) -> list[list[Any]]:
    asked = urllib.parse.urlencode(
        [("run_ids", run) for run in known] + [("metric_key", "loss"), ("max_results", 2000)]
    )
    path = "ajax-api/2.0/mlflow/metrics/get-history-bulk-interval"
    lines: dict[str, list[Any]] = {run: [] for run in known}
    for each in fetch(f"http://127.0.0.1:{port}/{path}?{asked}")["metrics"]:
        lines[each["run_id"]].append(each["value"])
    return list(lines.values())


def log_mlflow(place: Path, steps: int) -> float:
    import mlflow

    place.mkdir()
    mlflow.set_tracking_uri(f"sqlite:///{place}/mlflow.db")
    mlflow.set_experiment("logging")
    with mlflow.start_run():
        return cost(lambda step: mlflow.log_metrics(twenty(step), step=step), steps)


SIDES: dict[str, tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]] = {
    "tensorboard": (fill_tensorboard, serve_tensorboard, ask_tensorboard),
    "tensorboard-whole": (fill_tensorboard, serve_tensorboard_whole, ask_tensorboard),
    "trackio": (fill_trackio, serve_trackio, ask_trackio),
    "mlflow": (fill_mlflow, serve_mlflow, ask_mlflow),
}
LOG = {
    "tensorboard": log_tensorboard,
    "tensorboard-whole": log_tensorboard,
    "trackio": log_trackio,
    "mlflow": log_mlflow,
}
