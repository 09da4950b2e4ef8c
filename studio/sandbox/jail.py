"""Starts the sandbox: bubblewrap with its namespaces and mounts, then the keeper in it. Finds out what keeps
a machine from doing so, and says it in plain words.

It imports no more than the standard library and the studio's errors, and holds no code of people.
"""

import contextlib
import functools
import json
import os
import platform
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from studio.errors import StudioError
from studio.sandbox import system_calls

KEEPER = Path(__file__).with_name("keeper.py")
START_WITHIN = 20.0  # seconds; it takes some 50 ms, but a busy machine may need longer
ENDS_WITHIN = 2.0
NOBODY = 65534
FIRST_OWN_USER, OWN_USERS = 1_900_000_000, 1 << 24  # far from any number that is given to people
OWN_COUNTS_SINCE = (5, 14)  # Linux counts processes of a user namespace apart from then on: ucounts


class Way(StrEnum):
    """How a process gets apart from the others, the best first."""

    USER = "a user number of its own"  # which nothing else on the machine has; only root can give it
    NAMESPACE = "a user namespace"
    # Ubuntu's AppArmor profile lets bubblewrap make a user namespace and gives nobody rights in it. The
    # number of files in the scratch folder then has the kernel's own bound, 1 kB for every 8 kB of the
    # machine's memory.
    BARE = "a user namespace without rights"


@dataclass(frozen=True)
class Limits:
    """What one sandbox may use; all of it but `seconds` and `output` is held by the kernel.

    The most memory it can take is `memory` + `scratch` + about 80 MiB: one guest process, its files, the
    keeper (12 MiB) and what pipes and sockets may buffer (64 MiB, pipe-user-pages-soft). Two bounds need
    more of the machine: that of `threads` a user other than root, or the right to make one, and Linux 5.14;
    that of `files` rights in the user namespace (`Way.BARE`).
    """

    seconds: float = 5.0  # of a call, by the clock
    cpu: int | None = None  # seconds of processor time of one guest; None: `seconds` and a minute
    memory: int = 512 << 20  # bytes of address space; Python itself takes 30 MB of it
    scratch: int = 16 << 20  # bytes in its own folder, and of the largest file
    files: int = 1000  # in its own folder
    output: int = 1 << 20  # bytes printed in one call
    descriptors: int = 64
    threads: int = 64


class Jail:
    """One bubblewrap with its keeper. `start` and `end` are for one guest at a time."""

    def __init__(self, limits: Limits, way: Way):
        user = own_user() if way is Way.USER else None
        rules = {
            who: system_calls.assemble(platform.machine(), keeper=who == "keeper")
            for who in ("keeper", "guest")
        }
        self._order = guest_limits(limits, way)
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.settimeout(START_WITHIN)
        filter_from, filter_to = os.pipe()
        os.write(filter_to, rules["keeper"])
        os.close(filter_to)
        told_from, told_to = os.pipe()
        with theirs:
            self._process = subprocess.Popen(
                command(way, theirs.fileno(), filter_from, told_to, limits.scratch),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=(theirs.fileno(), filter_from, told_to),
                start_new_session=True,  # Ctrl-C is for the studio
            )
        os.close(filter_from)
        os.close(told_to)
        with os.fdopen(told_from) as told:
            self._keeper = json.loads(told.read() or "{}").get("child-pid")
        order = {
            "user": user,
            "mount": way is not Way.BARE,
            "scratch": limits.scratch,
            "files": limits.files,
            "filter": rules["guest"].hex(),
        }
        try:
            self._ask(order)
        except OSError as problem:
            raise Shut(self.close() or str(problem)) from problem

    def start(self, channel: socket.socket, printed: int) -> None:
        """A fresh guest that speaks over `channel` and prints into `printed`. OSError: the sandbox is
        gone."""
        self._ask(self._order, channel.fileno(), printed)

    def end(self) -> dict[str, int] | None:
        """Ends the guest. How it had ended, if by itself: `code`, `signal`. None: the sandbox is gone."""
        try:
            return self._ask({})
        except OSError:
            return None

    def _ask(self, order: dict[str, Any], *descriptors: int) -> dict[str, int]:
        try:
            socket.send_fds(self._control, [json.dumps(order).encode()], descriptors)
            answer = self._control.recv(1 << 12)
            if not answer:
                raise ConnectionResetError("the sandbox has ended")
        except OSError:
            self._control.close()  # an answer that comes late must not be taken for one to the next question
            raise
        return json.loads(answer)

    def close(self) -> str:
        """Ends the whole sandbox; returns what it had complained about."""
        self._control.close()  # then the keeper ends, and everything in there with it
        try:
            _, complaint = self._process.communicate(timeout=ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            self._kill()
            _, complaint = self._process.communicate()
        return complaint[:2000].decode(errors="replace").strip()

    def _kill(self) -> None:
        """For a keeper that does not answer. Its number is its own as long as bubblewrap waits for it."""
        if self._keeper and self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._keeper, signal.SIGKILL)
        self._process.kill()


class Shut(Exception):
    """The sandbox did not start; the text is what bubblewrap or the keeper said."""


def guest_limits(limits: Limits, way: Way) -> dict[str, int | None]:
    release = tuple(int(part) for part in platform.release().split("-")[0].split(".")[:2])
    counts_apart = way is Way.USER or release >= OWN_COUNTS_SINCE
    return {
        "memory": limits.memory,
        "cpu": int(limits.seconds + 60) if limits.cpu is None else limits.cpu,
        "scratch": limits.scratch,
        "descriptors": limits.descriptors,
        # Elsewhere the bound would count every process of this user; a guest can start none in any case.
        "threads": limits.threads if counts_apart else None,
    }


def own_user() -> int:
    """A user number nobody has; `nobody` in a container that has too few of them."""
    for line in Path("/proc/self/uid_map").read_text().splitlines():
        inside, _, count = map(int, line.split())
        if inside <= FIRST_OWN_USER and inside + count >= FIRST_OWN_USER + OWN_USERS:
            return FIRST_OWN_USER + secrets.randbelow(OWN_USERS)
    return NOBODY


# ---- the command ------------------------------------------------------------------------------------------


def command(way: Way, control: int, rules: int, told: int, scratch: int) -> list[str]:
    """bubblewrap's, for the keeper. Inside there are Python, the system's libraries and nothing of this
    machine."""
    enter = ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    if way is not Way.USER:
        enter += ["--unshare-user", "--uid", str(NOBODY), "--gid", str(NOBODY)]
    # To mount the scratch folder and change its user; the keeper gives all of them up before any guest.
    rights = {
        Way.USER: ["CAP_SYS_ADMIN", "CAP_SETUID", "CAP_SETGID"],
        Way.NAMESPACE: ["CAP_SYS_ADMIN"],
        Way.BARE: [],
    }
    enter += [
        "--die-with-parent",
        "--new-session",
        "--as-pid-1",
        "--hostname",
        "sandbox",
        "--cap-drop",
        "ALL",
    ]
    enter += [word for right in rights[way] for word in ("--cap-add", right)]
    folder = ["--dir", "/tmp"] if way is not Way.BARE else ["--size", str(scratch), "--tmpfs", "/tmp"]
    see = ["--ro-bind", str(KEEPER), "/keeper.py", *folder, "--remount-ro", "/"]
    python, mounts = runtime()
    pipes = ["--seccomp", str(rules), "--info-fd", str(told)]
    keeper = [python, "-s", "-P", "-S", "-B", "-X", "utf8", "/keeper.py", str(control)]
    return [bubblewrap(), *enter, *mounts, *see, "--chdir", "/", *pipes, *environment(), "--", *keeper]


def environment() -> list[str]:
    """Sets are walked in the same order every time, so a grader scores the same answer equally."""
    names = {
        "HOME": "/tmp",
        "LANG": "C.UTF-8",
        "LD_LIBRARY_PATH": "/python/lib",
        "MALLOC_ARENA_MAX": "2",  # each further one reserves 64 MiB of the address space
        "PYTHONHASHSEED": "0",
    }
    return ["--clearenv", *(word for name, text in names.items() for word in ("--setenv", name, text))]


@functools.cache
def runtime() -> tuple[str, list[str]]:
    """The interpreter as it is called inside, and the mounts it needs: itself, its standard library, the
    system's libraries. Installed packages stay outside."""
    base = Path(sys.base_prefix)
    executable = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    inside = f"/python/bin/{executable.name}"
    # Made first, because bubblewrap opens folders it makes along the way to their owner alone.
    mounts = [
        word
        for folder in ("/python", "/python/bin", "/usr", "/usr/share", "/dev")
        for word in ("--dir", folder)
    ]
    mounts += ["--ro-bind", str(executable), inside]
    for library in ("lib", "lib64"):
        if (base / library).is_dir():
            mounts += ["--ro-bind", str(base / library), f"/python/{library}"]
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(base)}))
    if packages.is_dir() and packages.is_relative_to(base):
        empty = f"/python/{packages.relative_to(base)}"
        mounts += ["--tmpfs", empty, "--remount-ro", empty]
    for library in ("/lib", "/lib64", "/usr/lib", "/usr/lib64"):
        if os.path.islink(library):
            mounts += ["--symlink", os.readlink(library), library]
        elif os.path.isdir(library):
            mounts += ["--ro-bind", library, library]
    mounts += ["--ro-bind-try", "/usr/share/zoneinfo", "/usr/share/zoneinfo"]
    for device in ("null", "zero", "full", "random", "urandom"):
        mounts += ["--dev-bind-try", f"/dev/{device}", f"/dev/{device}"]
    return inside, mounts


# ---- whether it can be had --------------------------------------------------------------------------------


def bubblewrap() -> str:
    return shutil.which("bwrap") or ""


def way_in() -> Way:
    """The best way this machine offers. StudioError says why it offers none, and what to do."""
    if sys.platform != "linux":
        raise StudioError(
            f"User-written programs need a sandbox, which needs Linux; this is {platform.system()}.",
            hint="Run a worker on a Linux machine, or choose a grader without a program.",
        )
    if platform.machine() not in system_calls.MACHINES:
        raise StudioError(
            f"The sandbox for user-written programs knows no {platform.machine()} processors.",
            hint=f"It runs on {' and '.join(system_calls.MACHINES)}.",
        )
    program = bubblewrap()
    if not program:
        raise StudioError(
            "User-written programs need a sandbox, and bubblewrap is not installed.",
            hint="Debian and Ubuntu: sudo apt-get install bubblewrap. Fedora: sudo dnf install bubblewrap.",
        )
    return tried(program)


@functools.cache
def tried(program: str) -> Way:
    """Only success is remembered: what is mended while the studio runs counts at the next call."""
    complaints = {}
    for way in Way if os.geteuid() == 0 else (Way.NAMESPACE, Way.BARE):
        try:
            Jail(Limits(), way).close()
        except Shut as problem:
            complaints[way] = str(problem)
        else:
            return way
    said = "; ".join(dict.fromkeys(complaints.values()))
    raise StudioError(
        "This machine's kernel does not let the studio make a sandbox for user-written programs.",
        hint=f"{advice()} bubblewrap said: {said or 'nothing'}",
    )


def advice() -> str:
    """The next step, by what usually stands in the way."""
    switches = {
        "/proc/sys/kernel/unprivileged_userns_clone": ("0", "sudo sysctl kernel.unprivileged_userns_clone=1"),
        "/proc/sys/user/max_user_namespaces": ("0", "sudo sysctl user.max_user_namespaces=10000"),
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": (
            "1",
            "sudo apt-get install apparmor-profiles && sudo install -m 644 "
            "/usr/share/apparmor/extra-profiles/bwrap-userns-restrict /etc/apparmor.d/ "
            "&& sudo systemctl reload apparmor",
        ),
    }
    for path, (closed, remedy) in switches.items():
        if os.path.exists(path) and Path(path).read_text().strip() == closed:
            return f"Unprivileged user namespaces are switched off; allow them: {remedy}."
    if os.path.exists("/.dockerenv") or os.path.exists("/run/.containerenv"):
        return (
            "Containers need security_opt: [seccomp:unconfined, apparmor:unconfined] on the worker for that."
        )
    return "It needs namespaces and seccomp filters; a container around the studio may forbid them."
