"""Hosts, their devices with the run each carries out, and the queue at /workers."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from app.navigation import Page
from app.pages import run_words, waiting
from app.parts import Paced, Query, fragment, live, render
from app.toolkit import html
from studio import db
from studio.models import Host, Lease, Run, now

FORGOTTEN_DAYS = 7  # hosts silent for longer are not listed


@dataclass(frozen=True)
class Device:
    name: str
    title: str
    gb: float | None
    chat_only: bool
    run: Run | None


@dataclass(frozen=True)
class Shown:
    host: Host
    is_there: bool
    devices: list[Device]


@fragment("workers")
def workers(_query: Query) -> Paced:
    with db.reading() as session:
        queue = waiting.look(session)
        hosts = shown(session)
        body = render("workers.html", hosts=hosts, queue=queue, say=run_words)
    return Paced(body, 2)


def shown(session: Session) -> list[Shown]:
    """Hosts heard of lately come first; each device with the run that holds it."""
    runs = session.execute(
        select(Lease.host, Lease.device, Run)
        .join(Run, Run.id == Lease.run_id)
        .options(selectinload(Run.model))
    )
    held = {(host, device): run for host, device, run in runs}
    found = []
    for host in session.scalars(select(Host).order_by(Host.name)):
        age = now() - host.seen
        if age.days < FORGOTTEN_DAYS:
            devices = [device_of(host, each, held.get((host.name, each["name"]))) for each in host.devices]
            found.append(Shown(host, age < waiting.GONE, devices))
    return sorted(found, key=lambda each: not each.is_there)


def device_of(host: Host, each: dict, run: Run | None) -> Device:
    return Device(each["name"], each["title"], each.get("gb"), each["kinds"] == ["serve"], run)


def build() -> None:
    html(live("workers", every=2, rows=5), elem_id="workers")


PAGE = Page(path="/workers", title="Workers", build=build, icon="workers", order=400)
