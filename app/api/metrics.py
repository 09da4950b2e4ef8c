"""What the charts are drawn from. One light request a second of every open page comes here."""

from typing import Annotated

import orjson
from fastapi import APIRouter, Query, Request, Response

from app import packed
from studio import db, metrics, runs

router = APIRouter(prefix="/api/metrics", tags=["metrics"])
MOST = 50  # runs in one answer
Runs = Annotated[list[int], Query(description="One or more run ids.")]


@router.get("")
def read(
    request: Request,
    run: Runs,
    after: str = Query("", description="The cursor of the previous answer: only newer points come."),
    points: int = Query(2000, ge=10, le=100_000, description="Most points a series; extremes are kept."),
    key: Annotated[list[str] | None, Query(description="Only these metrics.")] = None,
    low: int | None = Query(
        None, description="Only from this step on: all points of a part that is looked at."
    ),
    high: int | None = Query(None, description="Only up to this step."),
    times: bool = Query(False, description="Also when each point was logged, in seconds since 1970."),
) -> Response:
    """Series for charts: whole at first, then only what is new. Values have seven significant digits; a run's
    CSV has them all. A series of which there are more points than came says `thinned`. The charts are
    described in answers to no cursor; /api/metrics/charts describes those that are logged later."""
    with db.reading() as session:
        found = runs.heads(session, list(dict.fromkeys(run))[:MOST])
        answer = metrics.read(
            session, found, after=after, points=points, keys=key or (), low=low, high=high, times=times
        )
        answer["runs"] = [
            {
                "id": each.id,
                "name": each.name,
                "state": each.state,
                "step": each.step,
                "total_steps": each.total_steps,
                "color_index": place,
            }
            for place, each in enumerate(found)
        ]
    return packed.answer(request, orjson.dumps(answer))


@router.get("/charts")
def describe(request: Request, run: Runs) -> Response:
    """Title, group, unit, help and healthy range of every metric the runs have logged."""
    with db.reading() as session:
        found = runs.heads(session, list(dict.fromkeys(run))[:MOST])
        return packed.answer(request, orjson.dumps({"charts": metrics.described(session, found)}))
