"""Evaluations over REST: measure models on held-out questions, and read what the answers say."""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request
from pydantic import model_validator

from app import measured_by
from app.api.runs import as_json
from app.people import who
from studio import db, evaluations, queue, runs
from studio.errors import NotFound
from studio.evaluations import EvaluationConfig, results
from studio.models import Kind, Run

router = APIRouter(prefix="/api", tags=["evaluations"])


class FilledIn(EvaluationConfig):
    """An evaluation as its form sends it: `settings:judge:rubric` beside the ticked `judge`."""

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, given: Any) -> Any:
        return measured_by.gathered(given) if isinstance(given, dict) else given


@router.post("/evaluations/filled-in", status_code=201, include_in_schema=False)
def start_filled_in(config: FilledIn, request: Request) -> dict[str, Any]:
    """The same as below, of the page's form."""
    return start(config, request)


@router.post("/evaluations", status_code=201)
def start(config: EvaluationConfig, request: Request) -> dict[str, Any]:
    """Queues an evaluation. The base of each tuned model is measured too, on the same questions."""
    with db.transaction() as session:
        run = evaluations.launch(session, config, who(request))
        answer = as_json(run) | {"url": f"/evaluate?id={run.id}"}
    queue.wake_workers()
    return answer


@router.get("/evaluations/{run_id}")
def show(run_id: int) -> dict[str, Any]:
    """What the answers say so far: figures with 95 % intervals, differences from the first, slices."""
    with db.reading() as session:
        run = find(runs.get(session, run_id))
        found = results.of(session, run)
        return as_json(run) | {
            "contestants": evaluations.names(run),
            "results": asdict(found) if found else None,
        }


def find(run: Run) -> Run:
    if run.kind != Kind.EVALUATE:
        raise NotFound(f"Run {run.id} is no evaluation.", hint="The Evaluate page lists them.")
    return run
