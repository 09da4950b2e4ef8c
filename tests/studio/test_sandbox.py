"""The sandbox: nothing gets out of it, whatever it is asked to run; what is fit for use is fast.

Every file in tests/hostile_graders is a test. Its first line says which outcomes count as contained.
"""

import datetime
import os
import platform
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from studio import sandbox
from studio.errors import StudioError
from studio.sandbox import Limits, Outcome, Sandbox, Session, jail, session, system_calls
from studio.sandbox.jail import Way
from tests.hostile import GOOD, HOSTILE, TIGHT, Outside, as_expected, attempt, expected_of
from tests.running import ROOT

WAYS = list(Way) if os.geteuid() == 0 else [Way.NAMESPACE, Way.BARE]
# The clock is the same in all ways, so what it ends is tried in one.
ATTEMPTS = [
    (way, file) for way in WAYS for file in HOSTILE if way is WAYS[0] or expected_of(file)[0] != "time"
]
# Without rights the keeper cannot mount a scratch folder that bounds files and forbids programs.
NEED_RIGHTS = {"file_swarm", "loads_a_library_of_its_own"}


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUNESMITH_SECRET", "a-secret-of-the-studio")
        watched = Outside(tmp_path_factory.mktemp("outside"))
        yield watched
        watched.close()


@dataclass(frozen=True)
class Boxes:
    """Two sandboxes that are entered in the same way."""

    hasty: Sandbox
    patient: Sandbox


@pytest.fixture(scope="module")
def boxes() -> Iterator[dict[Way, Boxes]]:
    made = {
        way: Boxes(Sandbox(Limits(seconds=0.5, **TIGHT)), Sandbox(Limits(seconds=20, **TIGHT)))
        for way in WAYS
    }
    before = processes()
    yield made
    inside = [process for process in processes() if process not in before]
    assert len(inside) == 4 * len(WAYS), "a bubblewrap and a keeper each are left, no guest"
    for pair in made.values():
        pair.hasty.close()
        pair.patient.close()
    assert gone(inside)


def processes() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


def gone(which: list[psutil.Process], within: float = 5.0) -> bool:
    _, alive = psutil.wait_procs(which, timeout=within)
    return not alive


# ---- nothing gets out -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("way", "file"), ATTEMPTS, ids=lambda value: value.name.lower() if isinstance(value, Way) else value.stem
)
def test_a_hostile_grader_is_contained(
    way: Way, file: Path, boxes: dict[Way, Boxes], outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "way_in", lambda: way)
    source, expected = file.read_text(), expected_of(file)
    box = boxes[way].hasty if "time" in expected else boxes[way].patient
    if way is Way.BARE and file.stem in NEED_RIGHTS:
        box, expected = boxes[way].hasty, [*expected, "time", "score"]

    result = attempt(box, source, outside.item)

    assert as_expected(result, expected), result
    assert result.message or result.outcome is Outcome.SCORE
    assert len(result.message) < 2_000
    assert "\x1b" not in result.message + result.printed
    assert attempt(box, GOOD, {}).score == 0.5, "the next program finds all as it should be"
    assert outside.unharmed()


def test_there_are_enough_hostile_graders() -> None:
    assert len(HOSTILE) >= 45
    assert all(file.read_text().startswith("# expect: ") for file in HOSTILE)


def test_nothing_is_left_when_a_sandbox_is_closed() -> None:
    before = processes()
    with Session(GOOD) as session:
        assert session.call([({}, {})])[0].score == 0.5
        inside = [process for process in processes() if process not in before]
        assert len(inside) == 2, "bubblewrap and the keeper"
    assert gone(inside)


def test_the_sandbox_dies_with_the_studio() -> None:
    script = (
        "from studio.sandbox import Limits, Session\n"
        "Session('def grade(s, i):\\n    while True: pass', Limits(seconds=60)).call([({}, {})])\n"
    )
    studio = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT)
    root = psutil.Process(studio.pid)
    deadline = time.monotonic() + 30
    while len(root.children(recursive=True)) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    inside = root.children(recursive=True)
    assert len(inside) >= 3, "bubblewrap, keeper, guest"
    studio.kill()
    studio.wait()
    assert gone(inside)


def test_memory_stays_within_its_limit() -> None:
    """Measured from outside, while a program takes all it can and never gives up. What counts is what is in
    the sandbox, by the kernel's word: a process on its way into it still shows the memory of these tests."""
    source = (ROOT / "tests/hostile_graders/memory_hog_that_does_not_give_up.py").read_text()
    highest, done, outside = 0, threading.Event(), os.readlink("/proc/self/ns/pid")

    def watch() -> None:
        nonlocal highest
        while not done.wait(0.02):
            for process in processes():
                try:
                    if os.readlink(f"/proc/{process.pid}/ns/pid") != outside:
                        highest = max(highest, process.memory_info().rss)
                except (OSError, psutil.NoSuchProcess):  # it has ended meanwhile
                    continue

    watching = threading.Thread(target=watch)
    watching.start()
    with Sandbox(Limits(seconds=1.0, **TIGHT)) as box:
        attempt(box, source, {})
    done.set()
    watching.join()
    assert 32 << 20 < highest < 128 << 20


def test_the_kernel_ends_what_uses_up_its_processor_time() -> None:
    with Session("def grade(s, i):\n    while True: pass", Limits(seconds=30, cpu=1)) as session:
        result = session.call([({}, {})])[0]
    assert result.outcome is Outcome.TIME
    assert "processor time" in result.message
    assert result.seconds < 20


# ---- what is fit for use ----------------------------------------------------------------------------------


def test_a_case_that_never_ends_costs_only_itself() -> None:
    source = "def grade(sample, item):\n    while item['loop']:\n        pass\n    return 1.0"
    cases = [({}, {"loop": loop}) for loop in (False, True, False, True, False)]
    with Session(source, Limits(seconds=0.3)) as session:
        results = session.call(cases)
    assert [result.score for result in results] == [1.0, None, 1.0, None, 1.0]
    assert results[1].message == "It was still running after 0.3 s and was ended."


def test_what_a_program_remembers_lasts_for_one_batch() -> None:
    source = "seen = []\n\ndef grade(sample, item):\n    seen.append(1)\n    return len(seen)"
    with Session(source) as session:
        assert [result.score for result in session.call([({}, {})] * 3)] == [1, 2, 3]
        assert [result.score for result in session.call([({}, {})] * 2)] == [1, 2]


def test_both_forms_of_grade_are_told_apart() -> None:
    sample, item = {"output_text": "four"}, {"reference_answer": 4, "slice": "plain"}
    forms = {
        "def grade(sample, item):\n    return len(sample['output_text']) + item['reference_answer']": 8,
        "def grade(a, b):\n    return len(a['output_text']) + b['reference_answer']": 8,
        "def grade(sample, item, strict=True):\n    return len(sample['output_text'])": 4,
        "def grade(*both):\n    return len(both)": 2,
        "grade = lambda sample, item: item['slice'] == 'plain'": 1,
        "def grade(answer, reference, row):\n    return len(answer) * reference * len(row['slice'])": 80,
        "def grade(answer, reference):\n    return len(answer) + reference": 8,
        "def grade(answer):\n    return len(answer)": 4,
        "def grade(text, wanted, columns):\n    return len(text) + wanted + len(columns)": 10,
    }
    for source, score in forms.items():
        with Session(source) as session:
            assert session.call([(sample, item)])[0].score == score, source


@pytest.mark.parametrize(
    ("source", "line", "message"),
    [
        (
            "import math\n\ndef grade(s, i):\n    x = 1\n    return x / 0\n",
            5,
            "line 5, “return x / 0”: ZeroDiv",
        ),
        (
            "def helper():\n    raise KeyError('dose')\n\ndef grade(s, i):\n    return helper()\n",
            2,
            "KeyError: 'dose'",
        ),
        (
            "import json\n\ndef grade(s, i):\n    return json.loads('{')\n",
            4,
            "line 4, “return json.loads('{')”",
        ),
        ("def grade(s, i)\n    return 1\n", 1, "SyntaxError: expected ':'"),
        ("import numpy\n", 1, "standard library and nothing else"),
        ("x = 1\nimport socket\nsocket.socket()\n", 3, "lets no program open connections"),
    ],
)
def test_a_message_names_the_line_of_their_code(source: str, line: int, message: str) -> None:
    with Session(source) as session:
        result = session.call([({}, {})])[0]
    assert result.line == line
    assert message in result.message


def test_what_is_printed_comes_back_and_is_cut() -> None:
    source = "def grade(sample, item):\n    print(item['text'])\n    return 1.0"
    with Session(source) as session:
        short, long = session.call([({}, {"text": "seen\x1b[1m"}), ({}, {"text": "x" * 50_000})])
    assert short.printed == "seen\N{REPLACEMENT CHARACTER}[1m\n"
    assert long.printed.endswith("x … (cut)")
    assert len(long.printed) < 5_000


def test_odd_values_of_a_row_reach_the_program() -> None:
    source = "def grade(sample, item):\n    return len(item['day']) + len(item['half']) + item['huge'] % 10"
    item = {"day": datetime.date(2030, 1, 2), "half": "\ud800", "huge": 10**30 + 7, "none": float("nan")}
    with Session(source) as session:
        assert session.call([({}, item)])[0].score == 18


def test_a_row_beyond_all_measure_is_refused() -> None:
    with Session(GOOD) as session, pytest.raises(StudioError, match="MiB are the most"):
        session.call([({}, {"text": "x" * (session_limit() + 1)})])


def session_limit() -> int:
    return session.LARGEST_CASE


def test_large_rows_fit() -> None:
    with Session("def grade(sample, item):\n    return len(item['text'])") as session:
        assert session.call([({}, {"text": "x" * 5_000_000})])[0].score == 5_000_000


def test_two_thousand_calls_a_second() -> None:
    with Session("def grade(sample, item):\n    return 1.0") as session:
        session.check()
        best = 0.0
        for _ in range(3):
            began = time.perf_counter()
            session.call([({"output_text": "an answer"}, {})] * 1000)
            best = max(best, 1000 / (time.perf_counter() - began))
    assert best > 2000


def test_a_sandbox_that_was_killed_is_started_again() -> None:
    before = processes()
    with Session(GOOD) as session:
        session.check()
        for process in processes():
            if process not in before:
                process.kill()
        assert session.call([({}, {})])[0].score == 0.5


def test_a_sandbox_that_hangs_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jail, "START_WITHIN", 1.0)
    before = processes()
    with Session(GOOD) as session:
        session.check()
        hanging = [process for process in processes() if process not in before]
        for process in hanging:
            process.suspend()
        assert session.call([({}, {})])[0].score == 0.5
        assert gone(hanging)


def test_a_sandbox_outlives_the_thread_that_needed_it_first() -> None:
    with Session(GOOD) as session:
        starting = threading.Thread(target=session.check)
        starting.start()
        starting.join()
        assert session.call([({}, {})])[0].score == 0.5


# ---- machines without one ---------------------------------------------------------------------------------


@pytest.fixture
def forgetful() -> Iterator[None]:
    """What was found out about this machine before is forgotten, and again afterwards."""
    for found in (jail.tried, session._tried_out):
        found.cache_clear()
    yield
    for found in (jail.tried, session._tried_out):
        found.cache_clear()


def test_this_machine_has_a_sandbox() -> None:
    assert sandbox.available() == ""


@pytest.mark.usefixtures("forgetful")
def test_without_bubblewrap_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert "apt-get install bubblewrap" in sandbox.available()
    with pytest.raises(StudioError, match="bubblewrap is not installed"):
        Session(GOOD).call([({}, {})])


@pytest.mark.usefixtures("forgetful")
def test_where_the_kernel_refuses_it_says_so_and_works_once_that_is_mended(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    refusing = tmp_path / "bwrap"
    refusing.write_text("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n")
    refusing.chmod(0o755)
    path = os.environ["PATH"]
    monkeypatch.setenv("PATH", f"{tmp_path}:{path}")
    assert "kernel does not let" in sandbox.available()
    assert "setting up uid map: Permission denied" in sandbox.available()
    monkeypatch.setenv("PATH", path)
    assert sandbox.available() == ""


@pytest.mark.usefixtures("forgetful")
def test_other_systems_and_processors_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(platform, "machine", lambda: "riscv64")
        assert "riscv64" in sandbox.available()
    monkeypatch.setattr(sys, "platform", "darwin")
    assert "needs Linux" in sandbox.available()


# ---- the filter of system calls ---------------------------------------------------------------------------

ERRNO = 0x00050000  # SECCOMP_RET_ERRNO
ALLOWED, NOT_PERMITTED, NOT_IMPLEMENTED, KILLED = 0x7FFF0000, ERRNO | 1, ERRNO | 38, 0x80000000


def answer(machine: str, who: str, number: int, *arguments: int, architecture: int | None = None) -> int:
    """What the kernel would make of the filter: its machine for these few instructions."""
    program = list(struct.iter_unpack("<HBBI", system_calls.assemble(machine, keeper=who == "keeper")))
    data = struct.pack(
        "<iIQ6Q",
        number,
        architecture or system_calls.MACHINES[machine][0],
        0,
        *arguments,
        *[0] * (6 - len(arguments)),
    )
    place, held = 0, 0
    while True:
        code, if_true, if_false, constant = program[place]
        place += 1
        if code == system_calls.RETURN:
            return int(constant)
        if code == system_calls.LOAD:
            held = int.from_bytes(data[constant : constant + 4], "little")
            continue
        tests = {
            system_calls.EQUALS: held == constant,
            system_calls.AT_LEAST: held >= constant,
            system_calls.ANY_BIT: bool(held & constant),
        }
        place += if_true if tests[code] else if_false


NUMBERS = {
    "x86_64": {
        "read": 0,
        "clone": 56,
        "execve": 59,
        "mount": 165,
        "socket": 41,
        "socketpair": 53,
        "ptrace": 101,
    }
    | {"unshare": 272, "bpf": 321, "kill": 62, "ioctl": 16, "setresuid": 117, "prctl": 157, "clone3": 435},
    "aarch64": {
        "read": 63,
        "clone": 220,
        "execve": 221,
        "mount": 40,
        "socket": 198,
        "socketpair": 199,
        "ptrace": 117,
    }
    | {"unshare": 97, "bpf": 280, "kill": 129, "ioctl": 29, "setresuid": 147, "prctl": 167, "clone3": 435},
}
FORK, NEW_THREAD, NEW_USER = 0x01200011, 0x003D0F00, 0x10000011
TYPE_INTO_TERMINAL, IS_TERMINAL = 0x5412, 0x5401


@pytest.mark.parametrize("machine", system_calls.MACHINES)
def test_the_filter_lets_through_what_each_may_do(machine: str) -> None:
    number = NUMBERS[machine]
    for name in ("ptrace", "unshare", "bpf", "socket"):
        assert answer(machine, "keeper", number[name]) == NOT_PERMITTED
        assert answer(machine, "guest", number[name]) == NOT_PERMITTED
    for name in ("execve", "mount", "setresuid", "prctl"):
        assert answer(machine, "keeper", number[name]) == ALLOWED
        assert answer(machine, "guest", number[name]) == NOT_PERMITTED
    for name in ("read", "kill"):
        assert answer(machine, "guest", number[name]) == ALLOWED
    assert answer(machine, "keeper", number["clone"], FORK) == ALLOWED
    assert answer(machine, "guest", number["clone"], FORK) == NOT_PERMITTED
    assert answer(machine, "guest", number["clone"], NEW_THREAD) == ALLOWED
    assert answer(machine, "keeper", number["clone"], NEW_USER) == NOT_PERMITTED
    assert answer(machine, "guest", number["clone3"]) == NOT_IMPLEMENTED
    assert answer(machine, "guest", number["socketpair"], socket.AF_UNIX) == ALLOWED
    assert answer(machine, "guest", number["socketpair"], socket.AF_INET) == NOT_PERMITTED
    assert answer(machine, "guest", number["ioctl"], 0, IS_TERMINAL) == ALLOWED
    assert answer(machine, "guest", number["ioctl"], 0, TYPE_INTO_TERMINAL) == NOT_PERMITTED
    assert answer(machine, "guest", number["read"], architecture=0x40000003) == KILLED
    assert answer(machine, "guest", 0x40000000 + number["read"]) == NOT_IMPLEMENTED
