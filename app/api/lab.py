"""The reward lab over REST: try a reward on a model before reinforcement learning."""

from typing import Any

from fastapi import APIRouter, Request

from app.api.plain import plain
from app.api.runs import as_json
from app.people import who
from studio import db, lab, queue, runs
from studio.lab import LabConfig
from studio.models import Sample

router = APIRouter(prefix="/api", tags=["graders"])
OF_SAMPLE = "number prompt answer reference scores"


@router.post("/labs", status_code=201)
def start(config: LabConfig, request: Request) -> dict[str, Any]:
    """Queues a lab; its answers come while it runs."""
    with db.transaction() as session:
        answer = as_json(lab.launch(session, config, who(request)))
    queue.wake_workers()
    return answer


@router.get("/labs/{run_id}")
def show(run_id: int) -> dict[str, Any]:
    """What the answers say so far: distribution, pass@1 and pass@k, groups without spread, and a verdict."""
    with db.reading() as session:
        run = runs.get(session, run_id)
        found = lab.findings(session, run)
        best, worst = lab.extremes(session, run)
        return {
            **as_json(run),
            "findings": lab.as_json(found) if found else None,
            "best": [_answer(sample) for sample in best],
            "worst": [_answer(sample) for sample in worst],
        }


def _answer(sample: Sample) -> dict[str, Any]:
    return plain(sample, OF_SAMPLE)
