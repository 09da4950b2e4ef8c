"""`tunesmith up`: one command that starts broker, web and worker, watches them, and stops them cleanly.

For a laptop. A served studio starts `tunesmith web` and `tunesmith worker` under its own supervisor.
"""

import fcntl
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import IO

from studio import broker, db, migration, processes, sample, settings, storage, users
from studio.errors import Refused, StudioError

RESTART_AFTER = 1.0  # seconds before a part that died is started again


def prepare() -> None:
    """Database, starter model and, where one is configured, the administrator. Safe to repeat."""
    migration.upgrade()
    known = settings.get()
    with db.transaction() as session:
        sample.add_starter(session)
        if known.admin_password:
            users.put(session, "admin", known.admin_password)
        check_door(users.any_exist(session))


def check_door(has_users: bool) -> None:
    """Beyond loopback a login is demanded, so there must be somebody who can log in."""
    known = settings.get()
    if not known.is_loopback and not has_users:
        raise StudioError(
            f"The studio would listen on {known.host} for anybody.",
            hint="Add somebody who may log in first: tunesmith user add NAME. Or listen on 127.0.0.1.",
        )


class Studio:
    """The parts of one machine's studio and their processes."""

    def __init__(self) -> None:
        self._parts: dict[str, Callable[[], subprocess.Popen[bytes]]] = {}
        if settings.get().embedded_broker:
            self._parts["broker"] = broker.start
        self._parts["web"] = lambda: _child("web", [sys.executable, "-m", "app.cli", "web"])
        self._parts["worker"] = lambda: _child("worker", worker_command())
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._leaving = False

    def run(self, first_page: str, *, open_browser: bool) -> None:
        """Starts everything and stays until asked to leave."""
        lock = _lock()
        for asked in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(asked, self._leave)
        try:
            for name, start in self._parts.items():
                self.processes[name] = start()
            self._greet(first_page, open_browser)
            while not self._leaving:
                self._look_after()
                time.sleep(0.3)
        finally:
            self._stop()
            lock.close()

    def _greet(self, first_page: str, open_browser: bool) -> None:
        known = settings.get()
        host = "127.0.0.1" if known.host == "0.0.0.0" else known.host
        address = f"http://{host}:{known.port}{first_page}"
        while not self._leaving and not _answers(f"http://{host}:{known.port}/health"):
            code = self.processes["web"].poll()
            if code is not None:
                raise StudioError(
                    f"The web process ended with code {code}.",
                    hint=f"{log_path('web')} says why; another program may be using port {known.port}.",
                )
            time.sleep(0.1)
        if self._leaving:
            return
        print(f"\n  Tunesmith is at {address}\n  Everything it keeps is in {known.folder}")
        print("  Ctrl-C stops it.\n", flush=True)
        if open_browser and _has_desktop():
            webbrowser.open(address)

    def _look_after(self) -> None:
        for name, process in self.processes.items():
            code = process.poll()
            if code is not None and not self._leaving:
                print(f"  {name} ended ({code}); starting it again. {log_path(name)} says why.", flush=True)
                time.sleep(RESTART_AFTER)
                self.processes[name] = self._parts[name]()

    def _leave(self, *_: object) -> None:
        if not self._leaving:
            self._leaving = True
            print("\n  Stopping: runs in progress save a checkpoint first.", flush=True)

    def _stop(self) -> None:
        """The worker first: it waits until its runs have saved; then web and broker."""
        for name in ("worker", "web", "broker"):
            process = self.processes.get(name)
            if process is None or process.poll() is not None:
                continue
            process.terminate()
            try:
                process.wait(settings.get().stop_grace + 15 if name == "worker" else 10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def worker_command() -> list[str]:
    """Celery's solo pool: tasks last milliseconds, trainings are processes of their own."""
    name = f"tunesmith@{settings.get().host_name}"
    celery = [sys.executable, "-m", "celery", "-A", "worker.main", "worker"]
    return [
        *celery,
        "-P",
        "solo",
        "-n",
        name,
        "--loglevel",
        "WARNING",
        "--without-mingle",
        "--without-gossip",
    ]


def log_path(name: str) -> Path:
    folder = settings.get().folder
    return folder / "broker" / "broker.log" if name == "broker" else folder / "logs" / f"{name}.log"


def _child(name: str, command: list[str]) -> subprocess.Popen[bytes]:
    storage.made(log_path(name).parent)
    environment = dict(os.environ)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # without .pyc files imports cost double, every time
    with log_path(name).open("ab") as output:
        return subprocess.Popen(
            command,
            stdout=output,
            stderr=output,
            env=environment,
            start_new_session=True,
            preexec_fn=processes.end_with_parent,  # so that its port is free for the next start
        )


def _lock() -> IO[str]:
    path = storage.made(settings.get().folder) / "up.lock"
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise Refused(
            f"A studio is already running on {settings.get().folder}.",
            hint="Use that one, or set TUNESMITH_DATA to another folder.",
        ) from None
    return file


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _has_desktop() -> bool:
    return sys.platform in ("darwin", "win32") or bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )
