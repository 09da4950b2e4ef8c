"""Sweeps over REST: several runs that differ only in some settings."""

from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from app.api.plain import plain
from app.api.runs import as_json
from app.people import who
from studio import db, queue, sweeps
from studio.models import Sweep
from studio.runs import RunConfig

router = APIRouter(prefix="/api", tags=["runs"])
NAMES = "id name method fields created"


class SweepConfig(BaseModel):
    """`fields`: values of each setting, or for a random sweep ranges `{"low", "high", "log", "whole"}`."""

    model_config = ConfigDict(extra="forbid")
    config: RunConfig
    fields: dict[str, list[Any] | dict[str, Any]]
    method: sweeps.Method = "grid"
    count: int = Field(0, ge=0, le=sweeps.MOST)
    name: str = Field("", max_length=200)


@router.post("/sweeps", status_code=201)
def start(asked: SweepConfig, request: Request) -> dict[str, Any]:
    """Queues a run for each combination, or none when one of them would be refused."""
    with db.transaction() as session:
        sweep = sweeps.launch(
            session,
            asked.config,
            name=asked.name,
            fields=asked.fields,
            method=asked.method,
            count=asked.count,
            who=who(request),
        )
        answer = {**plain(sweep, NAMES), "runs": [as_json(run) for run in sweeps.runs_of(session, sweep.id)]}
    queue.wake_workers()
    return answer


@router.get("/sweeps")
def listed() -> list[dict[str, Any]]:
    """All sweeps, the newest first."""
    with db.reading() as session:
        return [plain(sweep, NAMES) for sweep in session.query(Sweep).order_by(Sweep.id.desc()).limit(500)]


@router.get("/sweeps/{sweep_id}")
def show(sweep_id: int) -> dict[str, Any]:
    """A sweep with its runs."""
    with db.reading() as session:
        sweep = sweeps.get(session, sweep_id)
        return {**plain(sweep, NAMES), "runs": [as_json(run) for run in sweeps.runs_of(session, sweep_id)]}


@router.post("/sweeps/{sweep_id}/stop")
def stop(sweep_id: int, request: Request) -> dict[str, int]:
    """Asks every run of the sweep that has not ended to end."""
    with db.transaction() as session:
        sweeps.get(session, sweep_id)
        return {"stopped": sweeps.stop(session, sweep_id, who(request))}
