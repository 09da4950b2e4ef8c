"""Hostile graders, and what they could harm: for the tests of the sandbox and its benchmark."""

import os
import socket
from pathlib import Path
from typing import Any

from studio.sandbox import Outcome, Result, Sandbox
from tests.running import ROOT

HOSTILE = sorted((ROOT / "tests/hostile_graders").glob("*.py"))
TIGHT = {"memory": 128 << 20, "scratch": 1 << 20, "files": 50, "output": 64 << 10, "threads": 16}
# 0.5 when its folder is empty and no other process is in the sandbox but the keeper.
GOOD = """
import os

def grade(sample, item):
    try:
        os.kill(-1, 0)
    except ProcessLookupError:
        return len(os.listdir("/tmp")) + 0.5
    return -1
"""


def expected_of(file: Path) -> list[str]:
    """The outcomes that count as contained, from the file's first line."""
    return file.read_text().partition("\n")[0].removeprefix("# expect: ").split(" or ")


def as_expected(result: Result, expected: list[str]) -> bool:
    return result.outcome in expected or (
        result.score is not None and f"{result.outcome} {result.score:g}" in expected
    )


def attempt(box: Sandbox, source: str, item: dict[str, Any]) -> Result:
    """One answer graded by `source`, in a process of its own in this sandbox."""
    guest = box.guest({"kind": "grader", "name": "grader", "source": source})
    result = guest.loaded
    if result.outcome is Outcome.SCORE:
        result = guest.ask([{"output_text": "an answer"}, item])
    guest.end()
    return result


class Outside:
    """A file, a secret, a server and a service that a program could reach for, and whether it did."""

    def __init__(self, folder: Path):
        self.canary = folder / "canary"
        self.canary.write_text("alive")
        self.owned = Path("/tmp/owned")
        self.server = socket.create_server(("127.0.0.1", 0))
        self.service = socket.socket(socket.AF_UNIX)
        self.service.bind(f"\0tunesmith-{os.getpid()}")
        self.service.listen()
        for listener in (self.server, self.service):
            listener.setblocking(False)
        self.item: dict[str, Any] = {
            "canary": str(self.canary),
            "folder": str(folder),
            "secret": "a-secret-of-the-studio",
            "port": self.server.getsockname()[1],
            "abstract": f"tunesmith-{os.getpid()}",
            "process": os.getpid(),
        }

    def unharmed(self) -> bool:
        return self.canary.read_text() == "alive" and not self.owned.exists() and not self._reached()

    def _reached(self) -> bool:
        for listener in (self.server, self.service):
            try:
                listener.accept()[0].close()
            except BlockingIOError:
                continue
            return True
        return False

    def close(self) -> None:
        self.server.close()
        self.service.close()
