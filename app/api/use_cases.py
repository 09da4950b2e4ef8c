"""Use cases over REST, and the templates they may begin as."""

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, field_validator

from app.api.plain import plain
from app.people import who
from studio import db, sample, use_cases
from studio.models import Project
from studio.use_cases import Description

router = APIRouter(prefix="/api", tags=["use cases"])


class Assigned(BaseModel):
    """The use case a dataset belongs to; null, or an empty text, for none."""

    project: int | None = None

    @field_validator("project", mode="before")
    @classmethod
    def _empty_is_none(cls, given: Any) -> Any:
        return None if given == "" else given


class Added(BaseModel):
    dataset: int


@router.get("/use-cases")
def listed() -> list[dict[str, Any]]:
    """Every use case, the one in which something happened last first."""
    with db.reading() as session:
        return [as_json(each) | {"last_activity": moment} for each, moment in use_cases.listed(session)]


@router.post("/use-cases", status_code=201)
def create(told: Description, request: Request) -> dict[str, Any]:
    """Describes a use case: at most three criteria, the first decides. A criterion without a grader, or a
    judge without a model, is measured once it has one."""
    with db.transaction() as session:
        return as_json(use_cases.create(session, told, who(request)))


@router.get("/use-cases/{project_id}")
def show(project_id: int) -> dict[str, Any]:
    with db.reading() as session:
        found = use_cases.get(session, project_id)
        return as_json(found) | {"belongings": use_cases.belongings(session, found.id)}


@router.put("/use-cases/{project_id}")
def change(project_id: int, told: Description, request: Request) -> dict[str, Any]:
    """Takes over the fields that are given; the others stay as they are."""
    with db.transaction() as session:
        return as_json(use_cases.update_to(session, project_id, told, who(request)))


@router.delete("/use-cases/{project_id}", status_code=204)
def remove(project_id: int, request: Request, detach: bool = False) -> Response:
    """Forgets a use case. Its datasets, runs and advice are kept on their own with `detach`, and stand in the
    way without it."""
    with db.transaction() as session:
        use_cases.remove(session, project_id, who(request), detach=detach)
    return Response(status_code=204)


@router.post("/use-cases/{project_id}/datasets")
def add_dataset(project_id: int, given: Added, request: Request) -> dict[str, Any]:
    """Makes a dataset that of this use case."""
    with db.transaction() as session:
        dataset = use_cases.assign(session, given.dataset, project_id, who(request))
        return {"id": dataset.id, "project": dataset.project_id}


@router.put("/datasets/{dataset_id}/use-case")
def assign(dataset_id: int, given: Assigned, request: Request) -> dict[str, Any]:
    """Makes a dataset that of a use case, or of none."""
    with db.transaction() as session:
        dataset = use_cases.assign(session, dataset_id, given.project, who(request))
        return {"id": dataset.id, "project": dataset.project_id}


@router.get("/templates")
def templates() -> list[dict[str, Any]]:
    """Use cases to begin with. Their data are synthetic."""
    return [{"template": name, **about} for name, about in sample.templates()]


@router.post("/templates/{name}", status_code=201)
def load(name: str, request: Request) -> dict[str, Any]:
    """Loads a template: its use case, its synthetic data and the starter model. Repeating it changes
    nothing."""
    project_id = sample.load(name, who(request))
    return {"id": project_id, "url": address(project_id)}


def as_json(project: Project) -> dict[str, Any]:
    named = "id name problem users stakes phase origin answers model_id held_out_id prompt_id created"
    told = [
        each.model_dump(mode="json") | {"lacking": use_cases.lacking(each)}
        for each in use_cases.criteria(project)
    ]
    return plain(project, named) | {
        "criteria": told,
        "synthetic": bool(project.origin),
        "url": address(project.id),
    }


def address(project_id: int) -> str:
    return f"/use-case?id={project_id}"
