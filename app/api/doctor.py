"""What the doctor finds in a run, and the thresholds from which on it speaks."""

from typing import Any

from fastapi import APIRouter, Request

from app import diagnosis
from app.people import who
from studio import db, doctor, runs

router = APIRouter(prefix="/api", tags=["runs"])


@router.get("/runs/{run_id}/doctor")
def examine(run_id: int) -> dict[str, Any]:
    """Findings, the worst first, each with its evidence and the settings a clone would change; and the rules
    that looked."""
    with db.reading() as session:
        return diagnosis.of(session, runs.get(session, run_id))


@router.get("/doctor/thresholds")
def show() -> dict[str, float]:
    """The values in force."""
    with db.reading() as session:
        return doctor.limits(session)


@router.put("/doctor/thresholds")
def keep(changed: dict[str, Any], request: Request) -> dict[str, float]:
    """Sets those that are named; null, or an empty text, goes back to what is shipped."""
    wanted = {name: None if value == "" else value for name, value in changed.items()}
    with db.transaction() as session:
        return doctor.set_thresholds(session, wanted, who(request))
