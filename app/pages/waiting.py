"""Why a run in the queue does not run yet, in plain words, and which hosts are there. A helper, no page.

The order of the queue and what fits where are decided by `studio.attempts.claim`; this only tells of them.
"""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from studio.lineage import HOPELESS
from studio.models import Host, Kind, Lease, Run, State, now

GONE = timedelta(seconds=20)  # a worker describes its host every five seconds
ENDED = {State.FAILED: "failed: resume it first", State.CANCELLED: "was stopped: resume it first"}


@dataclass(frozen=True)
class Reason:
    """One plain clause, and the command that mends it (may be empty)."""

    text: str
    command: str = ""


@dataclass(frozen=True)
class Queue:
    """The hosts heard of lately, the runs that wait (first to be served first), and the devices in use."""

    hosts: list[Host]
    order: list[Run]
    held: set[tuple[str, str]]  # (host, device)
    forerunners: dict[int, Run]  # the runs that others wait for, and that have not succeeded yet

    @property
    def is_stuck(self) -> bool:
        return bool(self.order) and not self.hosts

    def ahead(self, run: Run) -> int:
        line = [other.id for other in self.order if other.kind == run.kind]
        return line.index(run.id) if run.id in line else 0

    def why(self, run: Run) -> Reason:
        if forerunner := self.forerunners.get(run.after_id or 0):
            if forerunner.state in HOPELESS:
                return Reason(f"“{forerunner.name}”, whose result it starts from, {ENDED[forerunner.state]}")
            return Reason(f"starts from what “{forerunner.name}” makes, once that is done")
        if not self.hosts:
            return Reason("no worker is running – start one with", "tunesmith worker")
        most = max(len(fitting(host, run.kind)) for host in self.hosts)
        if most < run.gpus:
            return Reason(
                f"needs {run.gpus} {word(self.hosts, run.gpus)}; the largest host has {most or 'none'}"
            )
        if ahead := self.ahead(run):
            return Reason(f"{ahead} run{'s' if ahead > 1 else ''} ahead")
        if any(self.free(host, run.kind) >= run.gpus for host in self.hosts):
            return Reason("first in line, starts in a moment")
        return Reason(
            f"first in line, waits for {'a' if run.gpus == 1 else run.gpus} free {word(self.hosts, run.gpus)}"
        )

    def free(self, host: Host, kind: Kind) -> int:
        return sum((host.name, name) not in self.held for name in fitting(host, kind))


def look(session: Session) -> Queue:
    hosts = session.scalars(select(Host).where(Host.seen > now() - GONE).order_by(Host.name))
    order = session.scalars(
        select(Run).where(Run.state == State.QUEUED).order_by(Run.priority.desc(), Run.id).limit(500)
    )
    held = session.execute(select(Lease.host, Lease.device))
    queued = list(order)
    awaited = {run.after_id for run in queued if run.after_id}
    forerunners = session.scalars(select(Run).where(Run.id.in_(awaited), Run.state != State.SUCCEEDED))
    return Queue(
        list(hosts),
        queued,
        {(host, device) for host, device in held},
        {run.id: run for run in forerunners} if awaited else {},
    )


def fitting(host: Host, kind: Kind) -> list[str]:
    """Names of the host's devices that may carry runs of this kind."""
    return [device["name"] for device in host.devices if kind.value in device["kinds"]]


def word(hosts: list[Host], count: int) -> str:
    """What devices are called here: GPUs, or, where no host has one, CPU slots."""
    has_gpu = any(device["name"].startswith("gpu:") for host in hosts for device in host.devices)
    return f"{'GPU' if has_gpu else 'CPU slot'}{'' if count == 1 else 's'}"


def serving(session: Session, run: Run | None) -> str:
    """Why a serving run says nothing yet: “Waiting: …”, “Loading …”; nothing once it is under way."""
    if run is None:
        return ""
    if run.state == State.QUEUED:
        reason = look(session).why(run)
        return f"Waiting: {reason.text}{' “' + reason.command + '”' if reason.command else ''}"
    return run.activity or ("Starting" if run.state == State.CLAIMED else "")
