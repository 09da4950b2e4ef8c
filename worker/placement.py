"""Places runs on this machine: claims what fits, hands it to a runner, notices the dead. Takes climbs on.

One thread in each worker. It looks when it is woken and every few seconds, so a lost message costs seconds
and nothing else.
"""

import contextlib
import json
import logging
import os
import shutil
import subprocess
import sys
import threading
import time
from typing import Any

import psutil
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from studio import attempts, climbs, db, settings, storage
from studio.metrics.upkeep import Rounds
from studio.models import Kind, Run, State

log = logging.getLogger("tunesmith.placement")
DESCRIBE_EVERY = 5.0
STANDBY_AFTER = 5.0  # seconds after a claim: the next trainer's imports must not slow this one's first steps


def devices() -> list[dict[str, Any]]:
    """What this machine can lend: its GPUs, or, without one, its CPU slots. Asked of nvidia-smi, so that no
    CUDA context is made here. On a CPU, chat has a slot of its own and need not wait for a training."""
    work = [Kind.TRAIN.value, Kind.LAB.value, Kind.EVALUATE.value]
    gpus = _gpus()
    if gpus:
        return [
            {
                "name": f"gpu:{g['uuid']}",
                "title": g["title"],
                "gb": g["gb"],
                "kinds": [*work, Kind.SERVE.value],
            }
            for g in gpus
        ]
    memory = round(psutil.virtual_memory().total / 2**30)
    slots = [
        {"name": f"cpu:{n}", "title": "CPU", "gb": memory, "kinds": work}
        for n in range(settings.get().cpu_slots)
    ]
    return [*slots, {"name": "chat:0", "title": "CPU, for chat", "gb": memory, "kinds": [Kind.SERVE.value]}]


def _gpus() -> list[dict[str, Any]]:
    tool = shutil.which("nvidia-smi")
    if not tool:
        return []
    asked = subprocess.run(
        [tool, "--query-gpu=uuid,name,memory.total", "--format=csv,noheader,nounits"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    rows = [line.split(", ") for line in asked.stdout.splitlines() if line.count(", ") == 2]
    return [{"uuid": uuid, "title": name, "gb": round(float(mb) / 1024)} for uuid, name, mb in rows]


class Placement(threading.Thread):
    """The loop. `look_now` wakes it; `leave` ends it, with or without its runs."""

    def __init__(self) -> None:
        super().__init__(name="placement", daemon=True)
        self.host = settings.get().host_name
        self.devices = devices()
        self.about = _about()
        self._woken, self._leaving = threading.Event(), threading.Event()
        self._watch = attempts.Watch(settings.get().stale_after)
        self._rounds = Rounds()
        self._described, self._claimed = 0.0, -STANDBY_AFTER
        self._standby: subprocess.Popen[bytes] | None = None
        self._runners: list[subprocess.Popen[bytes]] = []

    def look_now(self) -> None:
        self._woken.set()

    def run(self) -> None:
        while not self._leaving.is_set():
            try:
                self.look()
            except DBAPIError as problem:
                log.warning("The database does not answer, looking again soon: %s", problem.orig)
            self._woken.wait(settings.get().look_every)
            self._woken.clear()

    def look(self) -> None:
        """One look: say that we are here, give up on the dead, take climbs a step on, claim what fits, keep
        old metrics small."""
        self._runners = [runner for runner in self._runners if runner.poll() is None]
        if time.monotonic() - self._described > DESCRIBE_EVERY:
            self._described = time.monotonic()
            with db.transaction() as session:
                attempts.describe_host(session, self.host, self.devices, self.about)
        self._give_up_on_the_dead()
        climbs.look()
        while not self._leaving.is_set() and self._claim():
            pass
        settled = time.monotonic() - self._claimed > STANDBY_AFTER
        if settings.get().standby and settled and self._standby is None and not self._leaving.is_set():
            self._standby = _new_runner()
        self._rounds.look()

    def _give_up_on_the_dead(self) -> None:
        with db.reading() as session:
            dead = [(*found, "its heartbeat stopped") for found in self._watch.look(session)]
            for run in attempts.in_progress_on(session, self.host):
                if run.runner_pid and not _alive(run.runner_pid, run.runner_started):
                    dead.append((run.id, run.attempt, run.beat, "its runner is gone"))
        for run_id, attempt, beat, why in dead:
            with db.transaction() as session:
                if attempts.requeue(session, run_id, attempt, beat, why):
                    log.warning("Run %s goes back to the queue: %s.", run_id, why)

    def _claim(self) -> bool:
        with db.reading() as session:
            if session.scalar(select(Run.id).where(Run.state == State.QUEUED).limit(1)) is None:
                return False
        with db.transaction() as session:
            given = attempts.claim(session, self.host, self.devices)
        if given is None:
            return False
        log.info("Run %s, attempt %s, on %s.", given.run_id, given.attempt, ", ".join(given.devices))
        runner = self._standby if self._standby and self._standby.poll() is None else _new_runner()
        self._standby, self._claimed = None, time.monotonic()
        assert runner.stdin
        order = {
            "run_id": given.run_id,
            "attempt": given.attempt,
            "kind": given.kind,
            "devices": given.devices,
        }
        runner.stdin.write(json.dumps(order).encode() + b"\n")
        runner.stdin.close()
        self._runners.append(runner)
        return True

    def leave(self) -> None:
        """Ends the loop. Draining asks this machine's runs to save and waits until they are back in the
        queue; otherwise their runners simply go on."""
        self._leaving.set()
        self._woken.set()
        self.join(timeout=30)
        if self._standby and self._standby.stdin:
            self._standby.stdin.close()
        if settings.get().drain:
            _drain(self.host)


def _new_runner() -> subprocess.Popen[bytes]:
    """A runner that waits for its order. In a session of its own, so that it outlives this worker."""
    with (storage.made(storage.inside("logs")) / "runners.log").open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "worker.runner"],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def _drain(host: str) -> None:
    deadline = time.monotonic() + settings.get().stop_grace
    asked: set[int] = set()
    while time.monotonic() < deadline:
        with db.reading() as session:
            mine = [run for run in attempts.in_progress_on(session, host) if run.runner_pid]
        alive = [run for run in mine if _alive(run.runner_pid or 0, run.runner_started)]
        if not alive:
            return
        for run in alive:
            if run.runner_pid and run.runner_pid not in asked:
                asked.add(run.runner_pid)
                with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended by itself
                    psutil.Process(run.runner_pid).terminate()
        time.sleep(0.2)
    log.warning("Some runs did not save in time; they go on from their last checkpoint.")


def _alive(pid: int, started: float | None) -> bool:
    """The very process, not a later one with the same number."""
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and abs(process.create_time() - (started or 0)) < 1
    except psutil.NoSuchProcess:
        return False


def _about() -> dict[str, Any]:
    return {
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "python": sys.version.split()[0],
    }
