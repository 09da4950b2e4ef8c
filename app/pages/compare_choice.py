"""Which runs /compare shows, and how: the words of its address, or of a comparison that was saved.

A helper, no page; every fragment of that page reads the address through this file.

`runs` are the chosen ones; `keep` hides those that do not match it; `group` puts them together; `metric` and
`baseline` are of the best-run table; `all` lists all settings; `saved` names a comparison that was kept,
which says the rest as long as the address names no runs itself. `find` looks for more runs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from markupsafe import Markup
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload
from starlette.datastructures import QueryParams

from app.pages import run_words
from app.parts import Paced, Query, whole
from studio import comparison, db, runs
from studio.comparison import Group, keeping
from studio.errors import NotFound
from studio.models import Comparison, Run

MOST = 20  # lines that can be told apart: eight colours, each with up to three kinds of dashes
CALM = 5.0  # seconds between looks at what changes rarely


@dataclass(frozen=True)
class Asked:
    """`said` is the address by name; `every` are its runs, `shown` those that `keep` leaves, in its order.
    `beyond`: how many more the address names than can be shown."""

    said: dict[str, str]
    every: list[Run]
    shown: list[Run]
    gone: list[int]
    beyond: int
    saved: Comparison | None

    @property
    def is_active(self) -> bool:
        return any(run_words.is_active(run) for run in self.shown)

    @property
    def all_settings(self) -> bool:
        return bool(self.said.get("all"))

    @property
    def query(self) -> str:
        """What would be kept of the address."""
        return urlencode({name: self.said[name] for name in keeping.KEPT if self.said.get(name)}, safe=",")

    @property
    def is_changed(self) -> bool:
        """Whether it is no longer what was saved."""
        return self.saved is not None and self.query != self.saved.query

    @cached_property
    def groups(self) -> list[Group]:
        """The shown runs put together; empty where nothing was asked for."""
        by = self.said.get("group", "")
        return comparison.groups(self.shown, by) if by else []

    @cached_property
    def places(self) -> dict[int, int]:
        """Of each shown run the place of its colour: its group's, or its own."""
        if self.groups:
            return {run.id: place for place, group in enumerate(self.groups) for run in group.runs}
        return {run.id: place for place, run in enumerate(self.shown)}

    def whole(self, query: Query) -> Query:
        """The address with what its saved comparison says, where it leaves that open."""
        return Query(QueryParams(dict(query.values) | self.said))

    def link(self, **changes: Any) -> str:
        """The address with some words changed; an empty one goes."""
        given = self.said | changes
        named = {name: given.get(name) for name in (*keeping.KEPT, "saved", "find") if given.get(name)}
        return "/compare" + (f"?{urlencode(named, safe=',')}" if named else "")

    def with_runs(self, wanted: Sequence[Run], find: str = "") -> str:
        return self.link(runs=",".join(str(run.id) for run in wanted), find=find)


def read(session: Session, query: Query) -> Asked:
    """What the address asks for. Raises StudioError for a number that is none."""
    saved = _saved(session, query)
    own = {name: query.text(name) for name in (*keeping.KEPT, "saved") if query.text(name)}
    numbers = query.numbers("runs")
    said = own
    if saved is not None and not numbers:
        said = keeping.words_of(saved) | own
        numbers = [whole(part, "run") for part in said["runs"].split(",")]
    beyond, numbers = max(0, len(numbers) - MOST), numbers[:MOST]
    found = {run.id: run for run in session.scalars(_runs(numbers))}
    every = [found[number] for number in numbers if number in found and found[number].kind in runs.CHARTED]
    said = said | {"runs": ",".join(str(run.id) for run in every)}
    return Asked(
        said=said,
        every=every,
        shown=[run for run in every if is_kept(run, said.get("keep", ""))],
        gone=[number for number in numbers if number not in found],
        beyond=beyond,
        saved=saved,
    )


def calm(query: Query, show: Callable[[Session, Asked, Query], Markup]) -> Paced:
    """A part of the page that is about two runs or more, and is looked at again now and then while one goes
    on. `show` is given the address with what a saved comparison says."""
    with db.reading() as session:
        asked = read(session, query)
        if len(asked.shown) < 2:
            return Paced(Markup(""), CALM)
        body = show(session, asked, asked.whole(query))
    return Paced(body, CALM if asked.is_active else 0)


def chosen_of(session: Session, query: Query) -> list[Run]:
    """The runs that are shown, in the order of the address."""
    return read(session, query).shown


def is_kept(run: Run, search: str) -> bool:
    return comparison.is_wanted(run, search, f"{run_words.technique(run)} {run_words.adapter(run)}")


def _saved(session: Session, query: Query) -> Comparison | None:
    """None where the address names none, or one that is not there."""
    number = query.maybe("saved")
    try:
        return keeping.get(session, number) if number is not None else None
    except NotFound:
        return None


def _runs(numbers: Sequence[int]) -> Any:
    beside = (selectinload(Run.model), selectinload(Run.dataset_version), selectinload(Run.held_out))
    return select(Run).where(Run.id.in_(numbers)).options(*beside)
