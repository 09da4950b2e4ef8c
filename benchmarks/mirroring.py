"""A run told to a real MLflow server and a real trackio server while it logs: how long after a step was
stored it is to be read there, and whether every point is there once although the server was killed meanwhile.

    python -m benchmarks.mirroring [--seconds 20] [--peers mlflow,trackio]

Servers are those of `benchmarks.metric_store`, in environments of their own. 20 metrics a step, ten steps a
second; the server is away for the middle fifth.
"""

import argparse
import json
import math
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import metric_store
from benchmarks.metric_peers import fetch, twenty

TOKEN = "benchmark"
EVERY = 0.1  # seconds a step
METRIC = "rewards/grader_7/mean"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seconds", type=float, default=20)
    options.add_argument("--peers", default="mlflow,trackio")
    given = options.parse_args()
    print(f"20 metrics a step, {1 / EVERY:g} steps a second; load {os.getloadavg()[0]:.1f}")
    for name in given.peers.split(","):
        python = metric_store.environment(name)
        if isinstance(python, str):
            print(f"{name:10} not measured: {python}")
            continue
        with tempfile.TemporaryDirectory(prefix="tunesmith-mirroring-") as folder:
            for key, value in measure(name, python, Path(folder), given.seconds).items():
                print(f"{name:10} {key:45} {value}")


def measure(name: str, python: Path, folder: Path, seconds: float) -> dict[str, Any]:
    server = Server(name, python, folder)
    os.environ["TUNESMITH_DATA"] = str(folder / "studio")
    os.environ[f"TUNESMITH_MIRROR_{name.upper()}"] = f"http://127.0.0.1:{server.port}"
    os.environ["TRACKIO_WRITE_TOKEN"] = TOKEN
    from studio import db, migration, settings
    from worker.mirroring import Mirroring
    from worker.mirrors import MIRRORS

    settings.get.cache_clear()
    db.engine.cache_clear()
    migration.upgrade()
    try:
        server.start()
        server.wait()
        return follow(server, Mirroring(MIRRORS.get(name)), round(seconds / EVERY), seconds)
    finally:
        server.stop()


def follow(server: "Server", thread: Any, steps: int, seconds: float) -> dict[str, Any]:
    """Begins to count when the first step is there: until then the server is still warming up."""
    run_id, stored = begin(), [time.monotonic()]
    thread.start()
    while not server.newest():
        time.sleep(0.1)
    writer = threading.Thread(target=write, args=(run_id, steps, stored))
    writer.start()
    delays, left = watch(server, stored, steps, seconds)
    writer.join()
    lines, state = server.lines(), server.state()
    thread.leave()
    once = all(sorted(line) == list(range(1, steps + 1)) for line in lines.values())
    ordered = sorted(delays)
    return {
        "stored → to be read there, p50 and p95": f"{at(ordered, 0.5):.2f} s, {at(ordered, 0.95):.2f} s",
        "what was logged meanwhile, once it was back": f"there after {left:.1f} s",
        "every point there, and once": f"{once} ({steps} steps × {len(lines)} metrics)",
        "state there": state,
    }


def at(ordered: list[float], share: float) -> float:
    return math.nan if not ordered else ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def begin() -> int:
    from studio import db, metrics, settings
    from studio.models import Run, State, now

    with db.transaction() as session:
        run = Run(name="first", technique="sft", adapter="lora", state=State.RUNNING, attempt=1)
        run.host, run.started, run.parameters = settings.get().host_name, now(), {"learning_rate": 1e-4}
        session.add(run)
        session.flush()
        metrics.append(session, run.id, [{"step": 1, "time": time.time(), "data": twenty(1)}])
        return run.id


def write(run_id: int, steps: int, stored: list[float]) -> None:
    from studio import db, metrics, runs
    from studio.models import State

    for step in range(2, steps + 1):
        began = time.monotonic()
        with db.transaction() as session:
            metrics.append(session, run_id, [{"step": step, "time": time.time(), "data": twenty(step)}])
        stored.append(time.monotonic())
        time.sleep(max(0.0, EVERY - (time.monotonic() - began)))
    with db.transaction() as session:
        runs.move(session, runs.get(session, run_id), State.SUCCEEDED)


def watch(server: "Server", stored: list[float], steps: int, seconds: float) -> tuple[list[float], float]:
    """How long each step took to be there before the server was killed, and after how long what had been
    logged in the meantime was, once it was back."""
    began, killed, back, back_after = time.monotonic(), False, 0.0, math.nan
    seen, delays = 1, []
    while seen < steps and time.monotonic() - began < 10 * seconds:
        passed = time.monotonic() - began
        if not killed and passed > 0.4 * seconds:
            server.stop()
            killed = True
        if killed and not back:
            time.sleep(0.2 * seconds)
            server.start()
            server.wait()
            back = time.monotonic()
        newest = server.newest()
        for step in range(seen, newest):
            if not killed:
                delays.append(time.monotonic() - stored[step])
        if killed and back and seen < 0.7 * steps <= newest:
            back_after = time.monotonic() - back
        seen = max(seen, newest)
        time.sleep(0.05)
    return delays, back_after


class Server:
    def __init__(self, name: str, python: Path, folder: Path):
        self.name, self.python, self.folder = name, python, folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        store, show = f"sqlite:///{self.folder}/mlflow.db", "import trackio; trackio.show('tunesmith', "
        show += f"open_browser=False, block_thread=True, server_port={self.port})"
        command = {
            "mlflow": ["-m", "mlflow", "server", "--backend-store-uri", store, "--port", str(self.port)],
            "trackio": ["-c", show],
        }[self.name]
        self.process = subprocess.Popen(
            [str(self.python), *command, *(["--workers", "1"] if self.name == "mlflow" else [])],
            env=os.environ
            | {"TRACKIO_DIR": str(self.folder / "trackio"), "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def wait(self) -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                fetch(f"{self.url}/version") if self.name == "trackio" else fetch_text(f"{self.url}/health")
                return
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.2)
        raise SystemExit(f"{self.name} did not start in two minutes")

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def newest(self) -> int:
        return max(self._steps(METRIC), default=0)

    def lines(self) -> dict[str, list[int]]:
        return {key: self._steps(key) for key in twenty(1)}

    def _steps(self, key: str) -> list[int]:
        return READ[self.name](self.url, key)

    def state(self) -> str:
        deadline = time.monotonic() + 30
        while (found := STATE[self.name](self.url)) not in ("FINISHED", "succeeded"):
            if time.monotonic() > deadline:
                break
            time.sleep(0.2)
        return found


def fetch_text(url: str) -> None:
    with urllib.request.urlopen(url, timeout=5):
        pass


def ask(url: str, path: str, body: dict[str, Any]) -> Any:
    return fetch(f"{url}/{path}", json.dumps(body).encode())


def mlflow_run(url: str) -> dict[str, Any] | None:
    experiments = ask(url, "api/2.0/mlflow/experiments/search", {"max_results": 10})["experiments"]
    found = ask(
        url, "api/2.0/mlflow/runs/search", {"experiment_ids": [each["experiment_id"] for each in experiments]}
    ).get("runs")
    return found[0] if found else None


def mlflow_steps(url: str, key: str) -> list[int]:
    run = mlflow_run(url)
    if run is None:
        return []
    path = f"api/2.0/mlflow/metrics/get-history?run_id={run['info']['run_id']}&metric_key={key}"
    return [int(each["step"]) for each in fetch(f"{url}/{path}").get("metrics", [])]


def trackio_steps(url: str, key: str) -> list[int]:
    found = ask(url, "api/get_logs", {"project": "tunesmith", "run": "first"})
    rows = found["data"] if isinstance(found, dict) else found
    return [row["step"] for row in rows if key in row]


def trackio_state(url: str) -> str:
    found = ask(url, "api/get_run_configs", {"project": "tunesmith"})
    return str(next(iter(found["data"].values()))["state"])


READ: dict[str, Callable[[str, str], list[int]]] = {"mlflow": mlflow_steps, "trackio": trackio_steps}
STATE: dict[str, Callable[[str], str]] = {
    "mlflow": lambda url: str((mlflow_run(url) or {})["info"]["status"]),
    "trackio": trackio_state,
}

if __name__ == "__main__":
    main()
