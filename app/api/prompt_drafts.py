"""The form of a prompt as it is filled in: kept on each edit, then saved as the next version.

Programs that know what they want use `POST /api/prompts`.
"""

from typing import Any

from fastapi import APIRouter, Request

from app.pages import prompts_draft
from app.pages.prompts_draft import Edit
from app.people import who
from studio import db, drafts, prompts

router = APIRouter(prefix="/api/prompts/drafts", tags=["prompts"])


@router.post("")
def keep(edit: Edit) -> dict[str, Any]:
    """Keeps what the form holds, right or wrong, once the button that was pressed has done its part."""
    key = edit.draft or drafts.new_key("prompt")
    with db.transaction() as session:
        draft, message = prompts_draft.changed(session, edit)
        drafts.put(session, key, draft.model_dump(mode="json"))
    return {"draft": key, "message": message}


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
