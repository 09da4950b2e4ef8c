"""The list of use cases at /use-cases, and what one may begin as: a template, or one's own words."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from app.navigation import Page
from app.parts import Paced, Query, fragment, live, render
from app.toolkit import html
from studio import db, sample, use_cases
from studio.guide import document
from studio.models import Project

CALM = 5.0


@dataclass(frozen=True)
class Listed:
    """One row of the list."""

    project: Project
    phase: str
    criterion: str
    target: float | None
    happened: datetime


@fragment("use-cases")
def use_cases_list(_query: Query) -> Paced:
    with db.reading() as session:
        found = list(listed(session))
        return Paced(render("use_cases.html", listed=found, templates=templates(found)), CALM)


def listed(session: Session) -> Iterable[Listed]:
    for project, happened in use_cases.listed(session):
        deciding = next(iter(use_cases.criteria(project)), None)
        yield Listed(
            project,
            phase_words(project.phase),
            deciding.name if deciding else "",
            deciding.target if deciding else None,
            happened,
        )


def templates(found: Iterable[Listed]) -> list[tuple[str, dict[str, Any], int | None]]:
    """(name, content, the id of the use case that began as it) of each template."""
    begun = {each.project.origin: each.project.id for each in found if each.project.origin}
    return [(name, about, begun.get(name)) for name, about in sample.templates()]


def phase_words(phase: int) -> str:
    """The highest phase that is done, as the guide calls it."""
    named = document.load().phases.get(str(phase))
    return f"{phase}. {named.name}" if named else "not begun"


def build() -> None:
    html(live("use-cases", every=5, rows=5), elem_id="use-cases")


PAGE = Page(path="/use-cases", title="Use cases", build=build, icon="use_cases", order=105)
