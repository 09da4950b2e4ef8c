"""Looks after one attempt of one run: starts its trainer, moves what it says into the database, relays stop
requests, settles the end. A process of its own, so that it survives restarts of worker and web.

    python -m worker.runner        waits for `{"run_id", "attempt", "kind", "devices"}` on standard input

It holds no torch. Every write names the attempt; once that is over elsewhere, trainer and runner leave.
"""

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import orjson
import psutil
from sqlalchemy.exc import DBAPIError

from studio import attempts, db, settings
from studio.attempts import Assignment
from studio.models import Kind
from worker import dispatch
from worker.order import Order

log = logging.getLogger("tunesmith.runner")
EVERY = 0.4  # seconds between two looks at the spool
CHAT_EVERY = 0.1
LOG_EVERY = 1.0
LOG_AT_ONCE = 100_000  # bytes
IDLE_BEAT = 1.0  # seconds between heartbeats when the trainer says nothing
AT_ONCE = 4 * 2**20  # bytes of spool read in one transaction


class Trainer:
    """The trainer's process: started early so that its imports are done, used once."""

    def __init__(self) -> None:
        environment = os.environ | {"OMP_WAIT_POLICY": "passive", "TOKENIZERS_PARALLELISM": "false"}
        environment |= {"OMP_NUM_THREADS": str(threads()), "HF_HUB_DISABLE_TELEMETRY": "1"}
        if settings.get().offline:
            environment["HF_HUB_OFFLINE"] = "1"
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # without .pyc files every import costs double
        self.process = subprocess.Popen(
            [sys.executable, "-m", "worker.standby"],
            stdin=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )

    def start(self, order: Order) -> None:
        environment = {}
        gpus = [name.removeprefix("gpu:") for name in order.devices if name.startswith("gpu:")]
        if gpus:
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)
        line = json.dumps({"folder": str(order.folder), "environment": environment})
        assert self.process.stdin
        with contextlib.suppress(BrokenPipeError):  # it died while it waited: its exit code says so
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()

    def ask_to_stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Ends the trainer and everything it started."""
        with contextlib.suppress(psutil.NoSuchProcess):
            family = psutil.Process(self.process.pid).children(recursive=True)
            for process in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def threads() -> int:
    known = settings.get()
    return known.threads or max(1, (os.cpu_count() or 1) // known.cpu_slots)


class Tail:
    """Reads a growing file from an offset."""

    def __init__(self, path: Path, offset: int):
        self.path, self.offset = path, offset

    def read(self, most: int) -> bytes:
        try:
            with self.path.open("rb") as file:
                file.seek(self.offset)
                return file.read(most)
        except FileNotFoundError:
            return b""

    def lines(self) -> tuple[list[dict[str, Any]], int]:
        """Whole lines only, and the offset behind them; a torn last line waits for its end."""
        text = self.read(AT_ONCE)
        end = text.rfind(b"\n") + 1
        return [orjson.loads(line) for line in text[:end].splitlines()], self.offset + end


def look_after(given: Assignment, trainer: Trainer) -> None:
    """One attempt, from its beginning to its end."""
    order = _begin(given)
    if order is None:
        trainer.kill()
        return
    signal.signal(signal.SIGTERM, lambda *_: trainer.ask_to_stop())
    trainer.start(order)
    try:
        _watch(given, order, trainer)
    finally:
        trainer.kill()


def _begin(given: Assignment) -> Order | None:
    _finish_previous(given)
    me = psutil.Process()
    with db.transaction() as session:
        run = attempts.begin(session, given.run_id, given.attempt, me.pid, me.create_time())
        if run is None:
            return None
        order = dispatch.order_for(session, run, given.devices)
        run.spool_attempt, run.spool_offset, run.log_offset = run.attempt, 0, 0
    order.write()
    return order


def _finish_previous(given: Assignment) -> None:
    """What the attempt before said and nobody wrote down yet: up to its last checkpoint it counts."""
    while True:
        with db.transaction() as session:
            noted = attempts.beat(session, given.run_id, given.attempt)
            if noted is None or noted.spool_attempt in (0, given.attempt):
                return
            tail = Tail(attempts.spool_path(given.run_id, noted.spool_attempt), noted.spool_offset)
            entries, offset = tail.lines()
            if not entries:
                return
            attempts.absorb(session, given.run_id, entries, attempt=noted.spool_attempt, offset=offset)


def _watch(given: Assignment, order: Order, trainer: Trainer) -> None:
    spool, printed = Tail(order.spool, 0), Tail(order.log, 0)
    every = CHAT_EVERY if given.kind == Kind.SERVE else EVERY
    deadline, wrote, logged = None, 0.0, 0.0
    while True:
        code = trainer.process.poll()
        entries, offset = spool.lines()
        ended = code is not None
        text = printed.read(LOG_AT_ONCE) if ended or time.monotonic() - logged > LOG_EVERY else b""
        quiet = not entries and not text and not ended
        if quiet and time.monotonic() - wrote < IDLE_BEAT and given.kind != Kind.SERVE:
            time.sleep(every)
            continue
        try:
            noted, questions = _write(given, entries, offset, text, printed)
        except DBAPIError as problem:
            log.warning("The database does not answer, trying again: %s", problem.orig)
            time.sleep(1)
            continue
        if noted is None:
            log.info("Attempt %s of run %s is over elsewhere.", given.attempt, given.run_id)
            return
        wrote = time.monotonic()
        logged = wrote if text else logged
        spool.offset, printed.offset = offset, printed.offset + len(text)
        if questions:
            with order.inbox.open("ab") as inbox:
                inbox.write(b"".join(orjson.dumps(question) + b"\n" for question in questions))
        if noted.wish and deadline is None:
            deadline = time.monotonic() + settings.get().stop_grace
            trainer.ask_to_stop()
        if deadline and time.monotonic() > deadline:
            trainer.kill()
        if code is not None and not entries and not text:
            _end(given, code, order)
            return
        if not ended:
            time.sleep(every)


def _write(
    given: Assignment, entries: list[dict[str, Any]], offset: int, text: bytes, printed: Tail
) -> tuple[attempts.Beat | None, list[dict[str, Any]]]:
    with db.transaction() as session:
        noted = attempts.beat(session, given.run_id, given.attempt)
        if noted is None:
            return None, []
        if entries:
            attempts.absorb(session, given.run_id, entries, attempt=given.attempt, offset=offset)
        if text:
            words = text.decode(errors="replace")
            attempts.add_log(session, given.run_id, given.attempt, words, printed.offset + len(text))
        asked = dispatch.questions(session, given.run_id) if given.kind == Kind.SERVE else []
        return noted, asked


def _end(given: Assignment, code: int, order: Order) -> None:
    last_words = order.log.read_bytes()[-4000:].decode(errors="replace") if order.log.exists() else ""
    while True:
        try:
            with db.transaction() as session:
                attempts.end(session, given.run_id, given.attempt, code, last_words=last_words)
            return
        except DBAPIError as problem:
            log.warning("The database does not answer, trying again: %s", problem.orig)
            time.sleep(1)


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s runner %(message)s")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    trainer = Trainer()
    line = sys.stdin.readline()
    if not line:
        trainer.kill()
        return
    given = json.loads(line)
    look_after(Assignment(given["run_id"], given["attempt"], Kind(given["kind"]), given["devices"]), trainer)


if __name__ == "__main__":
    main()
