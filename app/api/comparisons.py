"""Saved comparisons over REST, and which of several runs is best."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict

from app.api.plain import plain
from app.people import who
from studio import comparison, db, runs
from studio.comparison import Standing, keeping
from studio.errors import StudioError
from studio.models import Comparison

router = APIRouter(prefix="/api", tags=["runs"])
NAMES = "id name note query person created changed"
MOST = 50


class Kept(BaseModel):
    """`query` is that of the Compare page's address: `runs=7,8&group=learning_rate`."""

    model_config = ConfigDict(extra="forbid")
    name: str
    note: str = ""
    query: str


class Changed(BaseModel):
    """What is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")
    name: str | None = None
    note: str | None = None
    query: str | None = None


@router.get("/comparisons")
def listed() -> list[dict[str, Any]]:
    """Every saved comparison, the one changed last first."""
    with db.reading() as session:
        return [as_json(each) for each in keeping.listed(session)]


@router.post("/comparisons", status_code=201)
def keep(asked: Kept, request: Request) -> dict[str, Any]:
    """Saves a comparison under a name."""
    with db.transaction() as session:
        return as_json(keeping.keep(session, asked.query, name=asked.name, note=asked.note, who=who(request)))


@router.get("/comparisons/{comparison_id}")
def show(comparison_id: int) -> dict[str, Any]:
    with db.reading() as session:
        return as_json(keeping.get(session, comparison_id))


@router.patch("/comparisons/{comparison_id}")
def change(comparison_id: int, asked: Changed, request: Request) -> dict[str, Any]:
    """Renames it, changes its note or what it shows."""
    with db.transaction() as session:
        return as_json(keeping.change(session, comparison_id, **asked.model_dump(), who=who(request)))


@router.delete("/comparisons/{comparison_id}", status_code=204)
def remove(comparison_id: int, request: Request) -> Response:
    """Forgets a comparison. Its runs stay."""
    with db.transaction() as session:
        keeping.remove(session, comparison_id, who(request))
    return Response(status_code=204)


@router.get("/compare/standing")
def standing(
    runs_: Annotated[str, Query(alias="runs", description="Ids: 7,8")],
    metric: Annotated[str, Query(description="On held-out data; the technique's own without.")] = "",
    baseline: Annotated[int | None, Query(description="Gains over the newest value of this run.")] = None,
) -> dict[str, Any]:
    """Which of the runs is best: those that differ only in their seed together, with 95 % intervals."""
    ids = [int(part) for part in runs_.split(",") if part.strip().isdigit()][:MOST]
    if not ids:
        raise StudioError("Name the runs.", hint="For example ?runs=7,8.", field="runs")
    with db.reading() as session:
        found = [runs.get(session, run_id) for run_id in ids]
        judges = comparison.judged_by(found)
        key = metric or next(iter(judges), "")
        start = runs.get(session, baseline) if baseline is not None else None
        return {
            "metric": key,
            "better": judges.get(key, ""),
            "metrics": list(judges),
            "why_not": comparison.why_not(found, key) if key else comparison.UNMEASURED,
            "rows": [_row(each) for each in comparison.standing(session, found, key, start)] if key else [],
        }


def _row(each: Standing) -> dict[str, Any]:
    return {
        "title": each.title,
        "runs": [run.id for run in each.runs],
        "values": each.values,
        "mean": each.mean,
        "interval": asdict(each.interval) if each.interval else None,
        "rank": each.rank,
        "is_best": each.is_best,
        "is_apart": each.is_apart,
        "gain": each.gain.value,
        "device_seconds": each.seconds,
        "cost": asdict(each.cost) if each.cost else None,
    }


def as_json(kept: Comparison) -> dict[str, Any]:
    return {**plain(kept, NAMES), "url": f"/compare?saved={kept.id}"}
