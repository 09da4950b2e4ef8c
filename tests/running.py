"""A real studio for tests: `tunesmith up` as a person starts it, on a port and in a folder of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil
from sqlalchemy import create_engine, text

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "examples" / "medication_directions"
Found = TypeVar("Found")
OF_THE_MACHINE = {"data_wait", "gpu_use", "gpu_memory", "gpu_power", "cpu_cores", "process_memory"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(look: Callable[[], Found], seconds: float, what: str) -> Found:
    """Looks again and again until there is something; fails the test after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited {seconds} s for {what}")


def without_times(data: str | dict[str, Any]) -> str:
    """A row of metrics, as SQLite or PostgreSQL gives it, without what two equal runs log differently."""
    values = json.loads(data) if isinstance(data, str) else data
    return json.dumps({key: value for key, value in values.items() if key not in OF_THE_MACHINE})


class RunningStudio:
    """Talks to the studio as any program would: over its REST API."""

    def __init__(self, folder: Path, **environment: str):
        self.folder, self.port = folder, free_port()
        self.environment = {
            **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
            "TUNESMITH_DATA": str(folder),
            "TUNESMITH_PORT": str(self.port),
            "TUNESMITH_LOOK_EVERY": "0.5",
            "OMP_NUM_THREADS": "1",
            **environment,
        }
        self.url = f"http://127.0.0.1:{self.port}"
        self.api = httpx.Client(base_url=self.url, timeout=60)
        self.launcher: subprocess.Popen[bytes] | None = None

    # ---- life ----

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "up.log").open("ab") as output:
            command = [sys.executable, "-m", "app.cli", "up", "--no-open"]
            self.launcher = subprocess.Popen(
                command, cwd=ROOT, env=self.environment, stdout=output, stderr=output
            )
        until(self.answers, 120, f"the web process; {self.log()}")

    def answers(self) -> bool:
        assert self.launcher, "start it first"
        assert self.launcher.poll() is None, self.log()
        try:
            return self.api.get("/health").status_code == 200
        except httpx.TransportError:
            return False

    def close(self) -> None:
        self.stop()
        self.api.close()

    def stop(self) -> None:
        if self.launcher and self.launcher.poll() is None:
            self.launcher.send_signal(signal.SIGINT)
            self.launcher.wait(120)

    def log(self) -> str:
        parts = [self.folder / "up.log", *sorted((self.folder / "logs").glob("*.log"))]
        return "\n".join(f"== {p.name}\n{p.read_text()[-3000:]}" for p in parts if p.exists())

    def tunesmith(self, *words: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
        """The command line, in this studio's settings."""
        return subprocess.run(
            [sys.executable, "-m", "app.cli", *words],
            cwd=ROOT,
            env=self.environment,
            input=given,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    # ---- processes ----

    def part(self, name: str) -> psutil.Process:
        """The web or worker process the launcher started."""
        mark = {"web": "web", "worker": "worker.main"}[name]
        assert self.launcher
        for process in psutil.Process(self.launcher.pid).children():
            if process.status() != psutil.STATUS_ZOMBIE and mark in process.cmdline():
                return process
        raise AssertionError(f"there is no {name} process")

    def runner(self, run_id: int) -> psutil.Process:
        def look() -> Any:
            rows = self.rows("SELECT runner_pid FROM run WHERE id = :run AND state = 'running'", run=run_id)
            return rows and rows[0][0] and psutil.pid_exists(rows[0][0]) and psutil.Process(rows[0][0])

        return until(look, 60, f"the runner of run {run_id}")

    def trainer(self, run_id: int) -> psutil.Process:
        return until(lambda: (self.runner(run_id).children() or [None])[0], 60, "the trainer")

    # ---- what is in it ----

    def rows(self, query: str, **values: Any) -> list[Any]:
        engine = create_engine(
            self.environment.get("TUNESMITH_DATABASE") or f"sqlite:///{self.folder}/studio.db"
        )
        try:
            with engine.connect() as connection:
                return list(connection.execute(text(query), values))
        finally:
            engine.dispose()

    def metric_rows(self, run_id: int) -> list[Any]:
        """Everything logged by a run too short to have been packed, but for the time of day and what the
        machine took."""
        assert self.rows("SELECT 1 FROM metric_block WHERE run_id = :run", run=run_id) == []
        found = self.rows("SELECT seq, step, data FROM metric WHERE run_id = :run ORDER BY seq", run=run_id)
        return [(seq, step, without_times(data)) for seq, step, data in found]

    def logged(self, run_id: int, key: str = "loss") -> dict[int, float]:
        """When each step of a metric was logged, in seconds since 1970."""
        asked: dict[str, Any] = {"run": run_id, "key": key, "times": True, "points": 100_000}
        line = self.api.get("/api/metrics", params=asked).json()["series"][str(run_id)][key]
        return dict(zip(line["steps"], line["times"], strict=True))

    def upload(self, path: Path, name: str = "") -> dict[str, Any]:
        answer = self.api.post(
            "/api/datasets", params={"file": path.name, "name": name}, content=path.read_bytes()
        )
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def launch(self, **config: Any) -> int:
        answer = self.api.post("/api/runs", json=config)
        assert answer.status_code == 201, answer.text
        return int(answer.json()["id"])

    def show(self, run_id: int) -> dict[str, Any]:
        return dict(self.api.get(f"/api/runs/{run_id}").json())

    def reach(self, run_id: int, step: int, seconds: float = 120) -> None:
        """Waits until the run has passed `step`."""
        until(lambda: self._going(run_id)["step"] >= step, seconds, f"step {step} of run {run_id}")

    def _going(self, run_id: int) -> dict[str, Any]:
        run = self.show(run_id)
        assert run["state"] not in ("failed", "cancelled"), (run, self.log())
        return run

    def finish(self, run_id: int, seconds: float = 180, state: str = "succeeded") -> dict[str, Any]:
        """Waits until the run has ended, as it should."""
        ended = ("succeeded", "failed", "cancelled", "paused")
        run = until(
            lambda: (r := self.show(run_id))["state"] in ended and r, seconds, f"the end of run {run_id}"
        )
        assert run["state"] == state, (run, self.log())
        return run
