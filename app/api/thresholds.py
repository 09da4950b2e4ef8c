"""The thresholds of the guide, as this studio has set them."""

from typing import Any

from fastapi import APIRouter, Request

from app.people import who
from studio import db, recommendations

router = APIRouter(prefix="/api", tags=["guide"])


@router.get("/guide/thresholds")
def show() -> dict[str, float | int]:
    """The values in force."""
    with db.reading() as session:
        return recommendations.guide(session).limits


@router.put("/guide/thresholds")
def keep(changed: dict[str, Any], request: Request) -> dict[str, float | int]:
    """Sets those that are named; null, or an empty text, goes back to what is shipped."""
    wanted = {name: None if value == "" else value for name, value in changed.items()}
    with db.transaction() as session:
        return recommendations.set_thresholds(session, wanted, who(request)).limits
