"""`tunesmith doctor`: does this machine have what the studio needs? Looks and changes nothing."""

import shutil
import socket
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy.exc import DBAPIError

from studio import broker, migration, queue, sandbox, settings
from studio.errors import StudioError

SHARED = ("sqlalchemy", "celery")
DOORS = {"web": ("gradio",), "worker": ("torch", "transformers", "trl", "peft")}
LEAST_DISK = 2.0  # GiB


def all_checks() -> list[dict[str, Any]]:
    """`{"check", "ok", "says"}` for each thing looked at."""
    checks = (python, packages, folder, database, broker_server, devices, programs)
    return [check() for check in checks] + mirrors()


def mirrors() -> list[dict[str, Any]]:
    """Of each tracker that is told of runs, whether somebody listens there. Runs do not need it."""
    known = settings.get()
    told = {"mirror to MLflow": known.mirror_mlflow, "mirror to trackio": known.mirror_trackio}
    return [_listens(check, address) for check, address in told.items() if address]


def _listens(check: str, address: str) -> dict[str, Any]:
    parts = urlsplit(address)
    where = f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"
    try:
        socket.create_connection((parts.hostname or "", int(where.rpartition(":")[2])), timeout=3).close()
    except OSError as problem:
        return _result(check, True, f"{where} does not answer ({problem}); runs are told to it when it does")
    return _result(check, True, f"{where} answers")


def _result(check: str, ok: bool, says: str) -> dict[str, Any]:
    return {"check": check, "ok": ok, "says": says}


def python() -> dict[str, Any]:
    return _result("Python", sys.version_info >= (3, 11), sys.version.split()[0])


def packages() -> dict[str, Any]:
    """A machine may have one door only: a web container has no torch, a worker no Gradio."""
    whole = [door for door, names in DOORS.items() if not _missing(names)]
    lacking = [*_missing(SHARED), *([] if whole else _missing(sum(DOORS.values(), ())))]
    if lacking:
        return _result("packages", False, f"missing: {', '.join(lacking)}. Run make install.")
    present = [*SHARED, *(name for door in whole for name in DOORS[door])]
    says = ", ".join(f"{name} {version(name)}" for name in present)
    return _result("packages", True, f"for {' and '.join(whole)}: {says}")


def _missing(names: tuple[str, ...]) -> list[str]:
    return [name for name in names if not _installed(name)]


def _installed(name: str) -> bool:
    try:
        return bool(version(name))
    except PackageNotFoundError:
        return False


def folder() -> dict[str, Any]:
    place = settings.get().folder
    existing = next(parent for parent in (place, *place.parents) if parent.exists())
    free = shutil.disk_usage(existing).free / 2**30
    return _result("data folder", free >= LEAST_DISK, f"{place}, {free:.1f} GiB free")


def database() -> dict[str, Any]:
    try:
        at, wanted = migration.current()
    except DBAPIError as problem:
        return _result("database", False, f"does not answer: {problem.orig}")
    if at != wanted:
        return _result("database", False, f"is at {at or 'nothing'}, not {wanted}. Run: tunesmith migrate")
    return _result("database", True, f"at {at}")


def broker_server() -> dict[str, Any]:
    if settings.get().embedded_broker:
        try:
            return _result("broker", True, f"embedded: {broker.binary().rsplit('/', 1)[-1]}")
        except StudioError as problem:
            return _result("broker", False, str(problem))
    reached = queue.wake_workers().result()
    return _result("broker", reached, "answers" if reached else "does not answer; check TUNESMITH_BROKER")


def devices() -> dict[str, Any]:
    tool = shutil.which("nvidia-smi")
    if not tool:
        return _result("devices", True, "no GPU: small models train on the CPU")
    listed = subprocess.run([tool, "-L"], capture_output=True, text=True, timeout=30, check=False)
    return _result("devices", listed.returncode == 0, listed.stdout.strip() or listed.stderr.strip())


def programs() -> dict[str, Any]:
    """Whether graders may run programs here. Without it everything else works, so it is never a failure."""
    lacking = sandbox.available()
    return _result("sandbox", True, lacking or "programs of graders run in bubblewrap")
