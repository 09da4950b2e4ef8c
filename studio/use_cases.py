"""Use cases: a business problem, and what success means in figures.

Up to three criteria, each a sentence, the grader that measures it, what it is now and what it should be. The
first decides: its figure is what the guide asks for as "the metric".
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from studio.errors import NotFound
from studio.graders.choice import GraderChoice
from studio.models import Project

MOST_CRITERIA = 3


class Criterion(BaseModel):
    """`grader` measures it (a rubric is the judge's); None while none was chosen. `now` and `target` are
    shares of one; `now` is what a person said before anything was measured here."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(min_length=1, max_length=200)
    grader: GraderChoice | None = None
    now: float | None = Field(None, ge=0, le=1)
    target: float | None = Field(None, ge=0, le=1)


def get(session: Session, project_id: int) -> Project:
    found = session.get(Project, project_id)
    if found is None:
        raise NotFound(f"There is no use case {project_id}.", hint="The Use cases page lists them.")
    return found


def criteria(project: Project) -> list[Criterion]:
    """What success means, the one that decides first."""
    return [Criterion.model_validate(each) for each in project.criteria]


def target(project: Project) -> float | None:
    """The target of the criterion that decides."""
    return next((each.target for each in criteria(project)[:1]), None)


def kept(given: list[Criterion]) -> list[dict[str, Any]]:
    """Criteria as a project keeps them."""
    return [each.model_dump(mode="json") for each in given]
