"""Runs inside the sandbox as its first process, and holds nothing but the standard library.

The studio never imports this file: bubblewrap mounts it into the sandbox and starts it there. The keeper
finishes what bubblewrap cannot do (a scratch folder with a bounded number of files, giving up every right),
then waits for orders on its control socket and starts one guest at a time. A guest is a fork of the keeper
that gets kernel limits and a stricter filter before it sees the code of people; it speaks with the studio
over a socket of its own. When the studio is gone the control socket closes, the keeper ends, and the kernel
ends whatever else is in here.

As process 1 of its namespace the keeper cannot be reached by any signal of a guest.

It catches everything that a guest's code may raise, because that code is free to raise anything.
"""

import ast
import contextlib
import ctypes
import inspect
import json
import linecache
import math
import mmap
import os
import random  # noqa: F401 -- imported once here, guests have it at once
import re  # noqa: F401
import resource
import shutil
import signal
import socket
import struct
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

SCRATCH = "/tmp"
NO_SUID_NO_DEVICES_NO_PROGRAMS = 2 | 4 | 8  # MS_NOSUID, MS_NODEV, MS_NOEXEC of mount(2)
SET_SECCOMP, FILTER = 22, 2  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER of prctl(2)
CAPABILITY_VERSION = 0x20080522  # _LINUX_CAPABILITY_VERSION_3
MOST_TEXT = 500  # characters of an exception's text that are passed on
RESERVE = 4 << 20  # bytes given free when memory runs out, so that it can still be said

libc = ctypes.CDLL(None, use_errno=True)


class Program(ctypes.Structure):
    """struct sock_fprog of linux/filter.h"""

    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))


def keep(control: socket.socket) -> None:
    """Sets up, says so, then carries out orders until the control socket closes."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    order = json.loads(control.recv(1 << 16))
    if order["mount"]:
        mount_scratch(order)
    give_up_rights(order["user"])
    rules = bytes.fromhex(order["filter"])
    control.send(b'{"ready": true}')
    guest = 0
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 1 << 16, 2)
        if not message:
            os._exit(0)
        if descriptors:
            end(guest)
            guest = os.fork()
            if guest == 0:
                control.close()
                enter(*descriptors, limits=json.loads(message), rules=rules)
            for descriptor in descriptors:
                os.close(descriptor)
            control.send(b'{"started": true}')
        else:
            control.send(json.dumps(end(guest)).encode())


def check(result: int, what: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def mount_scratch(order: dict[str, Any]) -> None:
    """An empty folder in memory. bubblewrap cannot bound the number of files, each of which costs the kernel
    1 kB."""
    user = os.getuid() if order["user"] is None else order["user"]
    options = f"size={order['scratch']},nr_inodes={order['files']},mode=0700,uid={user},gid={user}"
    check(
        libc.mount(b"tmpfs", SCRATCH.encode(), b"tmpfs", NO_SUID_NO_DEVICES_NO_PROGRAMS, options.encode()),
        "mount",
    )


def give_up_rights(user: int | None) -> None:
    """Becomes `user` where it may (as root), and drops every capability either way."""
    if user is not None:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    header = struct.pack("Ii", CAPABILITY_VERSION, 0)
    check(libc.capset(header, bytes(24)), "capset")


def end(guest: int) -> dict[str, int]:
    """Ends everything in here but itself, and empties the scratch folder. How the guest ended, if by
    itself."""
    ended = {"code": 0, "signal": 0}
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        while True:
            process, status = os.waitpid(-1, 0)
            if process == guest:
                signalled = os.WIFSIGNALED(status)
                ended = {
                    "code": 0 if signalled else os.WEXITSTATUS(status),
                    "signal": os.WTERMSIG(status) if signalled else 0,
                }
    os.chmod(SCRATCH, 0o700)
    for name in os.listdir(SCRATCH):
        path = f"{SCRATCH}/{name}"
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)  # fails on one made to resist; then this sandbox ends and another is made
        else:
            os.remove(path)
    return ended


# ---- the guest --------------------------------------------------------------------------------------------


def enter(channel: int, printed: int, *, limits: dict[str, Any], rules: bytes) -> None:
    """From keeper to guest: never returns."""
    os.dup2(printed, 1)
    os.dup2(printed, 2)
    os.close(printed)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 -- /dev/null
    sys.stdout = open(1, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    os.chdir(SCRATCH)
    studio = socket.socket(fileno=channel)
    limit(limits)
    program = Program(len(rules) // 8, rules)
    check(libc.prctl(SET_SECCOMP, FILTER, ctypes.byref(program), 0, 0), "seccomp")
    try:
        serve(studio)
    finally:
        os._exit(0)


def limit(limits: dict[str, Any]) -> None:
    """No guest can raise a bound. At its processor time it gets SIGXCPU, a second later SIGKILL."""
    bounds = {
        resource.RLIMIT_AS: limits["memory"],
        resource.RLIMIT_CPU: limits["cpu"],
        resource.RLIMIT_FSIZE: limits["scratch"],
        resource.RLIMIT_NOFILE: limits["descriptors"],
        resource.RLIMIT_NPROC: limits["threads"],
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_SIGPENDING: limits["threads"],
    }
    for name, bound in bounds.items():
        if bound is not None:
            hard = bound + 1 if name == resource.RLIMIT_CPU else bound
            resource.setrlimit(name, (bound, hard))


def serve(studio: socket.socket) -> None:
    """Loads the program of the first message, then answers one case a message until the studio hangs up."""
    reserve = mmap.mmap(-1, RESERVE)  # address space; it costs no memory
    run: Callable[[Any], float] | None = None
    number = 0
    while True:
        message = receive(studio)
        reply: dict[str, Any] = {"id": number}
        try:
            if run is None:
                run, reply["count"] = load(json.loads(message))
            else:
                reply["score"] = run(json.loads(message))
        except MemoryError as problem:
            reserve.close()
            reply["fault"] = describe(problem)
        except BadTests as problem:
            reply |= {"fault": describe(problem.__cause__ or problem), "count": -1}
        except BaseException as problem:
            reply["fault"] = describe(problem)
        number += 1
        text = json.dumps(reply).encode()
        studio.sendall(struct.pack(">I", len(text)) + text)
        if run is None:
            return


def receive(studio: socket.socket) -> bytes:
    data = studio.recv(1 << 16)
    while len(data) < 4 or len(data) < 4 + int.from_bytes(data[:4], "big"):
        more = studio.recv(1 << 20)
        if not more:
            os._exit(0)
        data += more
    return data[4:]


def load(program: dict[str, Any]) -> tuple[Callable[[Any], float], int]:
    """What to do with each case, and how many cases there are where the program itself holds them."""
    name = program["name"]
    module = types.ModuleType(name)
    sys.modules[name] = module
    if program["kind"] == "grader":
        execute(program["source"], name, module.__dict__)
        return calling(module.__dict__.get("grade")), 0
    try:
        steps = plan(program["tests"])  # before the answer's code has run: it could change how tests are read
    except Exception as problem:
        raise BadTests from problem
    execute(program["source"], name, module.__dict__)
    return testing(steps, module.__dict__), len(steps)


def execute(source: str, name: str, namespace: dict[str, Any]) -> None:
    exec(compiled(source, f"{name}.py"), namespace)


def compiled(source: str, file: str) -> types.CodeType:
    """The lines are kept for messages."""
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    return compile(source, file, "exec", dont_inherit=True)


# ---- graders ----------------------------------------------------------------------------------------------


def calling(grade: Any) -> Callable[[Any], float]:
    """`grade(sample, item)` as OpenAI has it, or `grade(answer, reference, row)`: told apart by the
    parameters."""
    if grade is None:
        raise NameError("there is no function “grade”")
    parameters = inspect.signature(grade).parameters.values()
    by_place = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    needed = [p for p in by_place if p.default is p.empty]
    open_ended = any(p.kind == p.VAR_POSITIONAL for p in parameters)
    if by_place and by_place[0].name == "answer" and len(needed) <= 3:
        count = 3 if open_ended else min(len(by_place), 3)
    elif len(needed) == 3:
        count = 3
    elif len(needed) <= 2 and (len(by_place) >= 2 or open_ended):
        count = 0
    else:
        raise TypeError(
            f"grade takes {len(by_place)} arguments: grade(sample, item) or grade(answer, reference, row)"
        )

    def run(case: Any) -> float:
        sample, item = case
        if count == 0:
            return a_score(grade(sample, item))
        return a_score(grade(*(sample["output_text"], item.get("reference_answer"), item)[:count]))

    return run


def a_score(value: Any) -> float:
    if not isinstance(value, (int, float)):
        raise TypeError(f"grade returned {type(value).__name__} and not a number")
    score = float(value)
    if not math.isfinite(score):
        raise ValueError(f"grade returned {score}; a score is a finite number")
    return score


# ---- tests of a program -----------------------------------------------------------------------------------


class BadTests(Exception):
    """The tests cannot be read, which is not the answer's fault."""


DEFINITIONS = (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.Pass)
Plan = list[tuple[list[Any], Any]]  # for each test: the code that goes before it, the test's own code


def plan(tests: list[str] | str) -> Plan:
    """A list holds one test an entry. In a script every top-level assert, `test_…` function and method of a
    TestCase is one; where there is none, the whole of it is, provided that it does something."""
    if not isinstance(tests, str):
        return [([], compiled(test, f"test {number}")) for number, test in enumerate(tests, 1)]
    steps: Plan = []
    pending: list[ast.stmt] = []
    compiled(tests, "tests")
    body = ast.parse(tests, "tests").body
    for statement in body:
        if isinstance(statement, ast.Assert):
            steps.append((coded(pending), *coded([statement])))
            pending = []
        else:
            pending.append(statement)
    for call in calls(body):
        steps.append((coded(pending), compile(call, "tests", "exec")))
        pending = []
    if any(does_something(statement) for statement in pending):
        steps.append((coded(pending[:-1]), *coded(pending[-1:])))
    if not steps:
        raise ValueError("there is no test in them")
    return steps


def coded(statements: list[ast.stmt]) -> list[Any]:
    return [compile(ast.Module([statement], []), "tests", "exec") for statement in statements]


def calls(body: list[ast.stmt]) -> Iterator[str]:
    """What runs the test functions and the methods of test cases."""
    for statement in body:
        if isinstance(statement, ast.FunctionDef) and statement.name.startswith("test_"):
            yield f"{statement.name}()"
        elif isinstance(statement, ast.ClassDef) and "TestCase" in "".join(map(ast.unparse, statement.bases)):
            for part in statement.body:
                if isinstance(part, ast.FunctionDef) and part.name.startswith("test"):
                    yield f"{statement.name}({part.name!r}).debug()"


def does_something(statement: ast.stmt) -> bool:
    text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return not text and not isinstance(statement, DEFINITIONS)


def testing(steps: Plan, namespace: dict[str, Any]) -> Callable[[Any], float]:
    """Tests run in the answer's own namespace, and find it under the name `solution` too."""
    sys.modules["solution"] = sys.modules[namespace["__name__"]]

    def run(number: Any) -> float:
        before, test = steps[number]
        for code in before:
            exec(code, namespace)
        exec(test, namespace)
        return 1.0

    return run


# ---- what went wrong --------------------------------------------------------------------------------------


def describe(problem: BaseException) -> dict[str, Any]:
    """Kind, text, and the line of their code. Their exception may lie or fail when it is looked at."""
    fault: dict[str, Any] = {"kind": "Exception", "text": ""}
    try:
        fault["kind"] = str(type(problem).__name__)[:100]
        fault["number"] = problem.errno if isinstance(problem, OSError) else None
        fault["text"] = str(problem)[:MOST_TEXT]
        fault["line"], file = where(problem)
        fault["file"] = file
        fault["code"] = linecache.getline(file, fault["line"] or 0).strip()[:200]
        json.dumps(fault)
    except BaseException:
        return {"kind": fault["kind"] if type(fault["kind"]) is str else "Exception", "text": ""}
    return fault


def where(problem: BaseException) -> tuple[int | None, str]:
    """The last line of theirs on the way to the exception: files of theirs have no folder in their name."""
    if isinstance(problem, SyntaxError) and problem.filename and "/" not in problem.filename:
        return problem.lineno, problem.filename
    line, file = None, ""
    trace = sys.exc_info()[2]
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if "/" not in name and not name.startswith("<"):
            line, file = trace.tb_lineno, name
        trace = trace.tb_next
    return line, file


if __name__ == "__main__":
    keep(socket.socket(fileno=int(sys.argv[1])))
