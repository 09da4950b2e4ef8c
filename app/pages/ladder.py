"""The ladder of a use case at /ladder?project=7: what each phase reached, gained, took and needs; what the
newest measurement says; and letting the use case climb by itself, live while it does.

Without a project it is that of the use case in which something happened last."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.navigation import Page
from app.parts import Paced, Query, fragment, live, render
from app.toolkit import html
from studio import climbs, db, ladder, loop, material, prices, use_cases
from studio.climb_steps import Limits
from studio.errors import StudioError
from studio.guide import document
from studio.models import Climb, Project, Run

CALM, LIVE = 5.0, 1.0  # seconds between looks
EARLIER = 5  # climbs shown
WORDS = {"better": ("good", "gained"), "worse": ("bad", "lost"), "open": ("info", "gained nothing shown")}


@fragment("ladder")
def show(query: Query) -> Paced:
    with db.reading() as session:
        every = [project for project, _ in use_cases.listed(session)]
        number = query.maybe("project", every[0].id if every else None)
        if number is None:
            return Paced(render("ladder_empty.html"), CALM)
        return shown(session, use_cases.get(session, number), every)


def shown(session: Session, project: Project, every: list[Project]) -> Paced:
    found = ladder.of(session, project)
    past = climbs.listed(session, project.id)[: EARLIER + 1]
    now = next((each for each in past if each.state == climbs.GOING), None)
    body = render(
        "ladder.html",
        project=project,
        others=every if len(every) > 1 else [],
        found=found,
        price=found.price,
        money=prices.money,
        seen=None if now else loop.newest(session, project),
        words=WORDS,
        share=share,
        phases=list(document.load().phases.items()),
        missing=missing(session, project),
        climb_now=now,
        limits=Limits.of(session, now) if now else None,
        earlier=[each for each in past if each is not now],
        runs_of=runs_of(session, past),
    )
    return Paced(body, LIVE if now else CALM)


def share(value: float) -> str:
    """A share of one as a width or a place in per cent, kept within the bar."""
    return f"{min(max(100 * value, 0), 100):.1f}"


def missing(session: Session, project: Project) -> StudioError | None:
    """What stands in the way of measuring, and so of climbing."""
    try:
        material.check_measurable(material.of(session, project))
    except StudioError as refusal:
        return refusal
    return None


def runs_of(session: Session, past: list[Climb]) -> dict[int, Run]:
    """The runs of these climbs that are still there."""
    ids = [number for climb in past for number in climbs.run_ids(climb)]
    return {run.id: run for run in session.scalars(select(Run).where(Run.id.in_(ids)))}


def build() -> None:
    html(live("ladder", every=1, rows=8), elem_id="ladder")


PAGE = Page(path="/ladder", title="Ladder", build=build, icon="ladder", order=120)
