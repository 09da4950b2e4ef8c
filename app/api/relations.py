"""Settings of runs against a metric, and how often each answers better, over REST: what /compare draws."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy.orm import Session

from studio import db, metrics, runs
from studio.comparison import answers, relations
from studio.comparison.answers import WinRate
from studio.errors import StudioError
from studio.models import Run

router = APIRouter(prefix="/api/compare", tags=["runs"])
MOST = 50
Runs = Annotated[str, Query(alias="runs", description="Ids, two or more: 7,8")]


@router.get("/relations")
def show(
    runs_: Runs,
    metric: Annotated[str, Query(description="Left out: the one that says most.")] = "",
    how: Annotated[str, Query(description="newest, best, or last: the mean of the last tenth.")] = "newest",
) -> dict[str, Any]:
    """An axis a setting that differs, and one of the metric: each run's value and its place from 0 to 1."""
    with db.reading() as session:
        found = asked_for(session, runs_)
        key = metric or relations.usual(found)
        figure = relations.metric(session, found, key, how).as_json() if key else None
        return {
            "runs": [{"id": run.id, "name": run.name} for run in found],
            "axes": [axis.as_json() for axis in relations.settings(found)],
            "metric": figure,
            "better": metrics.better(found, key) if key else "",
            "apart_by_seed": [[found[place].id for place in each] for each in relations.apart_by_seed(found)],
        }


@router.get("/win-rates")
def win_rates(
    runs_: Runs,
    score: Annotated[
        str, Query(description="A grader's name; left out: exact match where there is one.")
    ] = "",
    at: Annotated[int | None, Query(description="Answers up to this step; else the newest.")] = None,
) -> dict[str, Any]:
    """How often each run wins against the first one, on the prompts that both answered."""
    with db.reading() as session:
        found = asked_for(session, runs_)
        asked = answers.asked(session, found, at)
        scorers = answers.scorers(asked)
        if score and score not in scorers:
            hint = f"There are {', '.join(scorers)}." if scorers else "Their answers were not scored."
            raise StudioError(f"No answer has a score “{score}”.", hint=hint, field="score")
        by = score or next(iter(scorers), "")
        return {
            "score": by,
            "scores": scorers,
            "against": found[0].id,
            "rates": [_rate(each) for each in answers.win_rates(asked, found, by)] if by else [],
        }


def _rate(each: WinRate) -> dict[str, Any]:
    return {
        "run": each.run.id,
        "wins": each.wins,
        "ties": each.ties,
        "losses": each.losses,
        "rate": asdict(each.rate) if each.rate else None,
        "verdict": each.verdict,
        "needed": each.needed,
    }


def asked_for(session: Session, asked: str) -> list[Run]:
    ids = list(dict.fromkeys(int(part) for part in asked.split(",") if part.strip().isdigit()))[:MOST]
    if len(ids) < 2:
        raise StudioError("Name at least two runs.", hint="For example ?runs=7,8.", field="runs")
    return [runs.get(session, run_id) for run_id in ids]
