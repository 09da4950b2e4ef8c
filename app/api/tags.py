"""Tags of runs over REST: short words of people's own, at most ten a run."""

from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from app.people import who
from studio import db, runs, tags

router = APIRouter(prefix="/api/runs", tags=["runs"])


class Tags(BaseModel):
    """All tags of a run; as a text they are separated by commas."""

    model_config = ConfigDict(extra="forbid")
    tags: list[str] | str


class Change(BaseModel):
    """Tags to add and to take away; as a text they are separated by commas."""

    model_config = ConfigDict(extra="forbid")
    add: list[str] | str = ""
    drop: list[str] | str = ""


class ChangeOfSeveral(Change):
    runs: list[int] = Field(min_length=1, max_length=500)


@router.post("/tags")
def change_several(asked: ChangeOfSeveral, request: Request) -> dict[str, Any]:
    """Adds tags to several runs, and takes others away."""
    with db.transaction() as session:
        found = tags.change(session, asked.runs, _listed(asked.add), _listed(asked.drop), who(request))
        return {"runs": [{"id": run.id, "tags": run.tags} for run in found]}


@router.post("/{run_id}/tags")
def change(run_id: int, asked: Change, request: Request) -> dict[str, Any]:
    """Adds tags to the run, and takes others away."""
    with db.transaction() as session:
        (run,) = tags.change(session, [run_id], _listed(asked.add), _listed(asked.drop), who(request))
        return {"id": run.id, "tags": run.tags}


@router.put("/{run_id}/tags")
def put(run_id: int, asked: Tags, request: Request) -> dict[str, Any]:
    """Gives the run these tags and no others."""
    with db.transaction() as session:
        run = runs.get(session, run_id)
        tags.put(session, run, _listed(asked.tags), who(request))
        return {"id": run.id, "tags": run.tags}


def _listed(given: list[str] | str) -> list[str]:
    return [given] if isinstance(given, str) else given
