"""Climbs and ladders over REST: what each phase of a use case reached, and letting it go up by itself."""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field, field_validator

from app.api.plain import plain
from app.api.runs import as_json
from app.people import who
from studio import climbs, db, ladder, queue, use_cases
from studio.models import Climb

router = APIRouter(prefix="/api", tags=["use cases"])
NAMES = "id project_id state until_phase budget gpu_price seconds run_id steps reason created ended"


class ClimbConfig(BaseModel):
    """`hours` and `budget` (in the currency of the prices set) end it; left out, nothing does."""

    model_config = ConfigDict(extra="forbid")
    project: int
    until_phase: int = Field(4, ge=1)
    hours: float | None = None
    budget: float | None = None

    @field_validator("hours", "budget", mode="before")
    @classmethod
    def _nothing_typed(cls, given: Any) -> Any:
        return None if given == "" else given


@router.post("/climbs", status_code=201)
def start(config: ClimbConfig, request: Request) -> dict[str, Any]:
    """Lets a use case climb by itself. A worker takes the first step within seconds."""
    seconds = config.hours * 3600 if config.hours is not None else None
    with db.transaction() as session:
        climb = climbs.start(
            session,
            config.project,
            config.until_phase,
            budget=config.budget,
            seconds=seconds,
            who=who(request),
        )
        answer = climb_json(climb)
    queue.wake_workers()
    return answer


@router.get("/climbs")
def listed(project: int = Query(..., description="The id of a use case.")) -> list[dict[str, Any]]:
    """The climbs of a use case, the newest first."""
    with db.reading() as session:
        return [climb_json(each) for each in climbs.listed(session, project)]


@router.get("/climbs/{climb_id}")
def show(climb_id: int) -> dict[str, Any]:
    """A climb: what it has done, why, by which rule, and what it waits for."""
    with db.reading() as session:
        return climb_json(climbs.get(session, climb_id))


@router.post("/climbs/{climb_id}/stop")
def stop(climb_id: int, request: Request) -> dict[str, Any]:
    """Ends a climb, and the run it waits for."""
    with db.transaction() as session:
        return climb_json(climbs.stop(session, climb_id, who(request)))


@router.get("/ladders/{project_id}")
def ladder_of(project_id: int) -> dict[str, Any]:
    """What each phase reached, gained over the one before and took, and what the next ones need."""
    with db.reading() as session:
        found = ladder.of(session, use_cases.get(session, project_id))
        return {**asdict(found), "rungs": [rung_json(rung) for rung in found.rungs]}


@router.post("/ladders/{project_id}/measure", status_code=201)
def measure(project_id: int, request: Request) -> dict[str, Any]:
    """Queues an evaluation of every phase's best on the same questions."""
    with db.transaction() as session:
        run = ladder.measure(session, use_cases.get(session, project_id), who(request))
        answer = as_json(run) | {"url": f"/evaluate?id={run.id}"}
    queue.wake_workers()
    return answer


def rung_json(rung: ladder.Rung) -> dict[str, Any]:
    return {**asdict(rung), "verdict": rung.verdict, "entrant": rung.entrant.name if rung.entrant else None}


def climb_json(climb: Climb) -> dict[str, Any]:
    return {**plain(climb, NAMES), "url": f"/ladder?project={climb.project_id}"}
