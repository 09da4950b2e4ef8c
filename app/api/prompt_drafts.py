"""The form of a prompt as it is filled in: kept on each edit, then saved as the next version.

Programs that know what they want use `POST /api/prompts`.
"""

from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from app.pages import prompts_draft
from app.pages.prompts_draft import Edit
from app.people import who
from studio import db, drafts, prompts, queue, use_cases
from studio.prompts import trying

router = APIRouter(prefix="/api/prompts/drafts", tags=["prompts"])


class Wish(BaseModel):
    """Which model to ask, and the number of the row, from 1."""

    model: int
    row: int = Field(1, ge=1)


@router.post("")
def keep(edit: Edit) -> dict[str, Any]:
    """Keeps what the form holds, right or wrong, once the button that was pressed has done its part."""
    key = edit.draft or drafts.new_key("prompt")
    with db.transaction() as session:
        draft, message = prompts_draft.changed(session, edit)
        drafts.put(session, key, draft.model_dump(mode="json"))
    return {"draft": key, "message": message}


@router.post("/{key}/try", status_code=201)
def attempt(key: str, wish: Wish) -> dict[str, Any]:
    """Asks a model about one row as the draft says. `tried` is the key of its answer on the page."""
    with db.transaction() as session:
        draft = prompts_draft.find(session, key)
        project = use_cases.get(session, draft.project)
        tried = trying.ask(session, project, draft.prompting(), wish.row - 1, wish.model)
    queue.wake_workers()
    return {"tried": tried}


@router.post("/{key}/save", status_code=201)
def save(key: str, request: Request) -> dict[str, Any]:
    """Makes the next version of a draft, which is then forgotten."""
    with db.transaction() as session:
        draft = prompts_draft.find(session, key)
        made = prompts.create(
            session,
            draft.project,
            draft.prompting(),
            name=draft.name,
            parent_id=draft.parent,
            who=who(request),
        )
        drafts.drop(session, key)
        return {"id": made.id, "number": made.number, "url": f"/prompts?project={draft.project}"}
