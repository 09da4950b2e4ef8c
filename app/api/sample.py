"""The sample use case over REST: one call loads it and starts its first run."""

from fastapi import APIRouter, Request

from app.people import who
from studio import queue, sample

router = APIRouter(prefix="/api", tags=["sample"])


@router.post("/sample", status_code=201)
def start(request: Request) -> dict[str, str | int]:
    """Loads the synthetic use case and starts its first training. Repeating it changes nothing."""
    run_id = sample.start(who=who(request))
    queue.wake_workers()
    return {"id": run_id, "url": f"/run?id={run_id}"}


@router.post("/sample/data", status_code=201)
def load(request: Request) -> dict[str, str | int]:
    """Loads the sample's data without starting anything."""
    return {"project": sample.load(who=who(request)), "url": "/datasets"}
