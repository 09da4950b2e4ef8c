"""Cases in, results out: calls a program in the sandbox and waits no longer than its limits say.

What comes back from a guest is read as hostile: never more than a bounded reply of one form (`results.py`),
and only in answer to the case that was asked.
"""

import functools
import json
import math
import os
import select
import signal
import socket
import time
import weakref
from collections.abc import Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import msgspec

from studio.errors import StudioError
from studio.sandbox import results
from studio.sandbox.jail import Jail, Limits, Shut, bubblewrap, way_in
from studio.sandbox.results import ENDINGS, Outcome, Reply, Result

LARGEST_CASE = 32 << 20  # bytes of JSON
LARGEST_REPLY = 1 << 16
GUEST_SERVES = (
    60.0  # seconds until a guest is replaced, so that its processor time never runs out in a good case
)

READ_REPLY = msgspec.json.Decoder(Reply)
Sample = dict[str, Any]
Item = dict[str, Any]


def require() -> None:
    """Raises StudioError with the next step when this machine can run no user-written programs. The first
    time it is tried out, which takes some 100 ms."""
    _tried_out(bubblewrap())


def available() -> str:
    """Why this machine can run no user-written programs, and the next step; empty when it can."""
    try:
        require()
    except StudioError as problem:
        return str(problem)
    return ""


@functools.cache
def _tried_out(program: str) -> None:
    """Raises StudioError, which is not remembered: what is mended while the studio runs counts at the next
    call."""
    with Session("def grade(sample, item):\n    return 1.0") as session:
        result = session.call([({}, {})])[0]
    if result.score != 1.0:
        raise StudioError(
            f"The sandbox for user-written programs does not work: {result.message} {result.printed}".strip()
        )


class Sandbox:
    """One sandbox, started when it is first needed and again when it was lost. For one thread at a time; it
    ends with the thread that started it, and is then started again."""

    def __init__(self, limits: Limits | None = None):
        self.limits = limits or Limits()
        self._jail: Jail | None = None

    def guest(self, program: dict[str, Any]) -> "Guest":
        """A fresh process with `program` loaded. StudioError: this machine offers no sandbox."""
        for _ in range(2):
            try:
                return Guest(self._jail or self._open(), self.limits, program)
            except OSError:
                self.close()
        raise StudioError("The sandbox for user-written programs ends as soon as it has started.")

    def _open(self) -> Jail:
        try:
            self._jail = Jail(self.limits, way_in())
        except Shut as problem:
            raise StudioError(f"The sandbox for user-written programs did not start: {problem}") from problem
        self._ends = weakref.finalize(self, self._jail.close)
        return self._jail

    def close(self) -> None:
        if self._jail:
            self._ends()
            self._jail = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Session(Sandbox):
    """The sandbox of one grader. Every `call` runs its source afresh, so what a grader remembers in its
    variables or its folder lasts for one batch at most, and for less where a case ended the process."""

    def __init__(self, source: str, limits: Limits | None = None):
        super().__init__(limits)
        self._program = {"kind": "grader", "name": "grader", "source": source}

    def check(self) -> Result:
        """Runs the source without grading anything; SCORE when it is fit for use."""
        guest = self.guest(self._program)
        guest.end()
        return guest.loaded

    def call(self, cases: Sequence[tuple[Sample, Item]]) -> list[Result]:
        """One result for each case. One that ends the process costs only itself: the next gets a new
        process."""
        answers: list[Result] = []
        guest: Guest | None = None
        for case in cases:
            if guest is None or guest.used_up:
                if guest:
                    guest.end()
                guest = self.guest(self._program)
            if guest.loaded.outcome is not Outcome.SCORE:
                answers += [guest.loaded] * (len(cases) - len(answers))  # it would be the same for all others
                break
            answers.append(guest.ask(case))
        if guest:
            guest.end()
        return answers


class Guest:
    """One process in the sandbox, with one program. `loaded` says whether that could be run."""

    def __init__(self, jail: Jail, limits: Limits, program: dict[str, Any]):
        """OSError: the sandbox is gone."""
        self._jail, self._limits = jail, limits
        self._channel, theirs = socket.socketpair()
        self._printed, theirs_printed = os.pipe()
        self._ends = weakref.finalize(self, _hang_up, self._channel, self._printed)
        try:
            jail.start(theirs, theirs_printed)
        finally:
            theirs.close()
            os.close(theirs_printed)
        self._channel.setblocking(False)
        os.set_blocking(self._printed, False)
        self._waits = select.poll()
        self._waits.register(self._printed, select.POLLIN)
        self._asked = 0
        self._served = 0.0
        self.used_up = False
        self.count = 0  # of tests, where the program holds them; -1 when they cannot be read
        self.loaded = self.ask(program)

    def ask(self, case: Any, seconds: float | None = None) -> Result:
        """Sends one case and waits up to `seconds` for what becomes of it. After it the guest may be
        `used_up`."""
        limit = self._limits.seconds if seconds is None else seconds
        output = bytearray()
        began = time.monotonic()
        answer = self._exchange(_framed(case), began + limit, output)
        took = time.monotonic() - began
        result = self._read(answer) if isinstance(answer, bytes) else self._ended(answer, limit)
        self._asked += 1
        self._served += took
        self.used_up = result.outcome in ENDINGS or self._served > GUEST_SERVES
        return replace(result, printed=results.shown(output), seconds=took)

    def _exchange(self, frame: bytes, until: float, output: bytearray) -> bytes | Outcome:
        """The reply, or why there is none. What is printed meanwhile goes into `output`."""
        to_send, received = memoryview(frame), b""
        while True:
            to_send = to_send[self._send(to_send) :]
            self._waits.register(self._channel, select.POLLIN | (select.POLLOUT if to_send else 0))
            left = until - time.monotonic()
            ready = dict(self._waits.poll(left * 1000)) if left > 0 else {}
            if left <= 0:
                return Outcome.TIME
            if self._printed in ready:
                output += self._drain()
                if len(output) > self._limits.output:
                    return Outcome.OUTPUT
            if ready.get(self._channel.fileno(), 0) & ~select.POLLOUT:
                more = self._receive()
                received += more
                size = int.from_bytes(received[:4], "big")
                if not more or size > LARGEST_REPLY:
                    output += self._drain()
                    return Outcome.NONSENSE if more else Outcome.ENDED
                if len(received) >= 4 + max(size, 1):
                    output += self._drain()
                    return received[4:]

    def _send(self, data: memoryview) -> int:
        try:
            return self._channel.send(data) if data else 0
        except BlockingIOError:
            return 0
        except OSError:  # it hung up; reading will say so
            return len(data)

    def _receive(self) -> bytes:
        try:
            return self._channel.recv(LARGEST_REPLY)
        except OSError:
            return b""

    def _drain(self) -> bytes:
        try:
            printed = os.read(self._printed, 1 << 16)
        except BlockingIOError:
            return b""
        if not printed:  # it has closed its end, which would wake every wait from now on
            self._waits.register(self._printed, 0)
        return printed

    def _read(self, answer: bytes) -> Result:
        try:
            reply = READ_REPLY.decode(answer)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return self._ended(Outcome.NONSENSE, 0)
        if reply.id != self._asked or not math.isfinite(reply.score or 0.0):
            return self._ended(Outcome.NONSENSE, 0)
        if self._asked == 0:
            self.count = reply.count
        if reply.fault:
            return results.failed(reply.fault, self._limits.memory)
        if self._asked > 0 and reply.score is None:
            return self._ended(Outcome.NONSENSE, 0)
        return Result(Outcome.SCORE, reply.score)

    def _ended(self, outcome: Outcome, limit: float) -> Result:
        how = self.end()
        if how and how["signal"] == signal.SIGXCPU:
            return Result(Outcome.TIME, message="It used up its processor time and was ended.")
        most = self._limits.output >> 10
        messages = {
            Outcome.TIME: f"It was still running after {limit:.3g} s and was ended.",
            Outcome.OUTPUT: f"It printed more than {most} KiB and was ended; the rest is cut.",
            Outcome.NONSENSE: "It wrote into the sandbox's own channel and was ended.",
            Outcome.ENDED: f"Its process gave no answer{results.ended(how)}.",
        }
        return Result(outcome, message=messages[outcome])

    def end(self) -> dict[str, int] | None:
        """Ends the process. How it had ended by itself, or None."""
        if not self._ends.alive:
            return None
        self._ends()
        return self._jail.end()


def _framed(case: Any) -> bytes:
    """As JSON with its length before it. What JSON lacks, such as dates, becomes text."""
    text = json.dumps(case, default=str).encode()
    if len(text) > LARGEST_CASE:
        raise StudioError(
            f"A case for the sandbox has {len(text) >> 20} MiB; {LARGEST_CASE >> 20} MiB are the most.",
            hint="Leave out columns that the grader does not need.",
        )
    return len(text).to_bytes(4, "big") + text


def _hang_up(channel: socket.socket, printed: int) -> None:
    channel.close()
    os.close(printed)
