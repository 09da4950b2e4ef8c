"""The embedded broker: one server a studio, whatever happened before."""

import subprocess
import sys
from pathlib import Path

from studio import broker
from tests.running import ROOT, until

START = "import sys, time; from studio import broker; print(broker.start().pid, flush=True); time.sleep(60)"


def test_it_starts_answers_and_keeps_to_its_own_user(studio_folder: Path) -> None:
    server = broker.start()
    try:
        assert broker.answers()
        socket = studio_folder / "broker" / "broker.sock"
        assert socket.stat().st_mode & 0o777 == 0o700
    finally:
        server.terminate()
        server.wait()
    assert not broker.answers()


def test_a_server_left_by_a_killed_studio_is_replaced(studio_folder: Path) -> None:
    left = broker.start()
    server = broker.start()
    try:
        left.wait(10)
        assert broker.answers()
    finally:
        server.terminate()
        server.wait()


def test_it_ends_when_its_launcher_is_killed(studio_folder: Path) -> None:
    launcher = subprocess.Popen([sys.executable, "-c", START], cwd=ROOT, stdout=subprocess.PIPE)
    assert launcher.stdout
    with launcher.stdout as output:
        output.readline()
    until(broker.answers, 10, "the broker")
    launcher.kill()
    launcher.wait()
    until(lambda: not broker.answers(), 10, "its end")
