"""The reward lab over REST: try a reward on a model before reinforcement learning."""

from typing import Any

from fastapi import APIRouter, Request

from app.api.datasets import version_json
from app.api.runs import as_json
from app.people import who
from studio import db, lab, pairs, queue, runs
from studio.lab import LabConfig

router = APIRouter(prefix="/api", tags=["graders"])


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
        return as_json(run) | lab.as_json(session, run)


@router.post("/labs/{run_id}/pairs", status_code=201)
def keep_pairs(run_id: int, request: Request) -> dict[str, Any]:
    """Makes a dataset of preference pairs: of each prompt the answers with the highest and the lowest reward,
    where they differ."""
    with db.reading() as session:
        found = pairs.of(session, runs.get(session, run_id))
    folder, report = pairs.prepare(found)
    with db.transaction() as session:
        version = pairs.keep(session, run_id, folder, report, who(request))
        return version_json(version) | {"dataset_id": version.dataset_id}
