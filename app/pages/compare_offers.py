"""Runs that could be added to /compare: one by one, all that are found, or a whole sweep, tag or use case.

A fragment of that page, no page."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.pages import run_words
from app.pages.compare_choice import MOST, Asked, is_kept, read
from app.parts import Paced, Query, fragment, live, render
from studio import db, runs
from studio.models import Project, Run, Sweep

Key = TypeVar("Key", int, str)
OFFERED = 60
BUNCHES = 8


@dataclass(frozen=True)
class Bunch:
    """Runs that can be added together: `said` is what they are, `link` the address with them."""

    said: str
    runs: Sequence[Run]
    link: str


@fragment("compare-offers")
def compare_offers(query: Query) -> Paced:
    """Looked up when the address changes, not as time goes: it goes through all runs."""
    search = query.text("find").strip()
    with db.reading() as session:
        asked = read(session, query)
        others = [run for run in runs.listed(session) if run not in asked.every]
        found = nearest([run for run in others if is_kept(run, search)], asked)
        body = render(
            "compare_offers.html",
            say=run_words,
            asked=asked,
            found=found[:OFFERED],
            count=len(found),
            room=MOST - len(asked.every),
            most=MOST,
            search=search,
            bunches=bunches(session, asked, others, search),
        )
    return Paced(body, 0)


def place() -> str:
    return live("compare-offers", every=0, rows=4)


def nearest(others: list[Run], asked: Asked) -> list[Run]:
    """Those of the first chosen run's dataset first, then the newest."""
    data = asked.every[0].dataset_version_id if asked.every else None
    return sorted(others, key=lambda run: (run.dataset_version_id != data, -run.id))


def bunches(session: Session, asked: Asked, others: Sequence[Run], search: str) -> list[Bunch]:
    """Sweeps, tags and use cases with at least two runs that are not chosen yet; with a search those that are
    called so."""
    tags = {tag for run in others for tag in run.tags}
    sweeps = _named(session, Sweep, (run.sweep_id for run in others))
    use_cases = _named(session, Project, (run.project_id for run in others))
    found = [
        *_each("Sweep", sweeps, others, lambda run, number: run.sweep_id == number),
        *_each("Tag", {tag: tag for tag in sorted(tags)}, others, lambda run, tag: tag in run.tags),
        *_each("Use case", use_cases, others, lambda run, number: run.project_id == number),
    ]
    words = search.lower().split()
    return [
        Bunch(said, members, asked.with_runs([*asked.every, *members][:MOST], search))
        for said, members in found
        if all(word in said.lower() for word in words)
    ][:BUNCHES]


def _named(session: Session, table: type[Sweep] | type[Project], ids: Iterable[int | None]) -> dict[int, str]:
    """Their names, the newest first."""
    wanted = select(table.id, table.name).where(table.id.in_({number for number in ids if number}))
    return {each.id: each.name for each in session.execute(wanted.order_by(table.id.desc()))}


def _each(
    kind: str, named: Mapping[Key, str], others: Sequence[Run], is_of: Callable[[Run, Key], bool]
) -> list[tuple[str, list[Run]]]:
    found = []
    for key, name in named.items():
        members = [run for run in others if is_of(run, key)]
        if len(members) > 1:
            found.append((f"{kind} “{name}”", sorted(members, key=lambda run: run.id)))
    return found
