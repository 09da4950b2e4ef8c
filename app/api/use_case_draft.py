"""The form of a use case as it is filled in: what is typed is kept, right or wrong, until it is saved.

Programs that know everything at once use `POST /api/use-cases`.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from app import described
from app.api.use_cases import address
from app.people import who
from studio import db, drafts, use_cases
from studio.errors import StudioError

router = APIRouter(prefix="/api", tags=["use cases"])
KNOWN = frozenset((*described.FIELDS, *described.SETTINGS))
Text = Annotated[str, Field(max_length=20_000)]


class Typed(BaseModel):
    """What stands in the form. `project` is the use case that is edited; none describes a new one."""

    draft: str = Field("", max_length=60, description="Empty starts a new one.")
    project: int | None = None
    fields: dict[str, Text] = Field(default_factory=dict, max_length=len(KNOWN))


@router.post("/use-case-drafts")
def keep(typed: Typed) -> dict[str, str]:
    if strange := next((name for name in typed.fields if name not in KNOWN), ""):
        raise StudioError(
            f"This form has no field “{strange[:60]}”.", hint="Reload the page.", field="fields"
        )
    key = typed.draft or drafts.new_key("use-case")
    with db.transaction() as session:
        drafts.put(session, key, {"project": typed.project, "fields": typed.fields})
    return {"draft": key}


@router.post("/use-case-drafts/{key}/save", status_code=201)
def save(key: str, request: Request) -> dict[str, Any]:
    """Makes or changes the use case. What is wrong is refused by its field, and the draft stays."""
    with db.transaction() as session:
        kept = drafts.get(session, key)
        fields, number = kept.get("fields", {}), kept.get("project")
        project = use_cases.get(session, number) if number else None
        told = described.read(fields, project)
        try:
            if project is None:
                project = use_cases.create(session, told, who(request))
            else:
                use_cases.update_to(session, project.id, told, who(request))
        except StudioError as problem:
            raise described.in_place(problem, fields) from problem
        drafts.drop(session, key)
        return {"id": project.id, "url": address(project.id)}
