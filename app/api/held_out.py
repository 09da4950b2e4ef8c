"""Held-out prompts over REST: what to ask models to see whether training helped."""

from fastapi import APIRouter, Query

from studio import db, held_out
from studio.errors import StudioError
from studio.held_out import Example

router = APIRouter(prefix="/api", tags=["chat"])


@router.get("/chat/examples/{number}")
def example(
    number: int,
    models: str = Query(..., description="Ids: 1,5"),
) -> Example:
    """A held-out row of the run that made these models, as a question with its reference answer."""
    ids = [int(part) for part in models.split(",") if part.strip().isdigit()]
    if not ids or number < 0:
        raise StudioError("Choose a model first.", field="models")
    with db.reading() as session:
        return held_out.example(session, ids, number)
