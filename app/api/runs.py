"""Runs over REST: start, watch, stop, resume, compare. The pages use the same functions."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from app.api.datasets import receive
from app.api.plain import plain
from app.people import who
from studio import attempts, chains, comparison, db, queue, runs, script
from studio.errors import StudioError
from studio.metrics import exports, imports
from studio.models import Run, Sample
from studio.runs import RunConfig

router = APIRouter(prefix="/api", tags=["runs"])
MOST_COMPARED = 50
NAMES = """id name kind technique adapter state wish attempt activity step total_steps seconds_left latest
error parameters adapter_parameters inputs graders after_id sweep_id choices report seed gpus priority host
versions note tags"""


def as_json(run: Run) -> dict[str, Any]:
    return {
        **plain(run, NAMES),
        "model": run.model.name if run.model else None,
        "model_id": run.model_id,
        "dataset": run.dataset_version.title if run.dataset_version else None,
        "dataset_version_id": run.dataset_version_id,
        "held_out_id": run.held_out_id,
        "created": run.created,
        "started": run.started,
        "ended": run.ended,
        "url": f"/run?id={run.id}",
    }


@router.post("/runs", status_code=201)
def start(config: RunConfig, request: Request) -> dict[str, Any]:
    """Queues a run; a worker takes it up at once if it has room."""
    with db.transaction() as session:
        run = runs.launch(session, config, who(request))
        answer = as_json(run)
    queue.wake_workers()
    return answer


@router.post("/chains", status_code=201)
def start_chain(steps: list[RunConfig], request: Request) -> list[dict[str, Any]]:
    """Queues runs that start from one another: `step:1` stands for the model the first of them makes."""
    with db.transaction() as session:
        answer = [as_json(run) for run in chains.launch(session, steps, who(request))]
    queue.wake_workers()
    return answer


@router.post("/chains/rm_ppo", status_code=201)
def start_rlhf(asked: chains.Rlhf, request: Request) -> list[dict[str, Any]]:
    """Queues RLHF: SFT where there are examples, a reward model, and PPO against it."""
    return start_chain(chains.rm_ppo(asked), request)


@router.get("/runs")
def listed(limit: int = Query(100, ge=1, le=1000)) -> list[dict[str, Any]]:
    """All runs, the newest first."""
    with db.reading() as session:
        return [as_json(run) for run in runs.listed(session, limit=limit)]


@router.post(
    "/runs/import",
    status_code=201,
    openapi_extra={"requestBody": {"content": {"application/octet-stream": {}}, "required": True}},
)
async def add_imported(
    request: Request,
    file: str = Query(..., max_length=300, description="The file's name, which says what it is."),
    name: str = Query("", max_length=200, description="The run's name; the file's, when left out."),
) -> dict[str, Any]:
    """A finished run from metrics logged elsewhere: Trainer's trainer_state.json, a TensorBoard event file,
    JSONL or CSV with a step in each row. It can be looked at, compared and deleted."""
    path = await receive(request, file)
    try:
        return await run_in_threadpool(_keep_imported, path, file, name, who(request))
    finally:
        path.unlink()


def _keep_imported(path: Path, original: str, name: str, person: str) -> dict[str, Any]:
    with db.transaction() as session:
        return as_json(imports.add(session, path, name, original=original, who=person))


@router.get("/runs/{run_id}/metrics.csv", response_class=Response)
def as_csv(run_id: int) -> StreamingResponse:
    """Everything the run logged: a line a moment, a column a metric."""
    with db.reading() as session:
        runs.get(session, run_id)
    named = f'attachment; filename="run-{run_id}.csv"'
    return StreamingResponse(
        _csv_lines(run_id), media_type="text/csv", headers={"Content-Disposition": named}
    )


def _csv_lines(run_id: int) -> Iterator[str]:
    with db.reading() as session:
        yield from exports.csv_lines(session, runs.get(session, run_id))


@router.get("/runs/{run_id}")
def show(run_id: int) -> dict[str, Any]:
    with db.reading() as session:
        return as_json(runs.get(session, run_id))


@router.delete("/runs/{run_id}", status_code=204)
def delete(run_id: int, request: Request) -> Response:
    """Removes an ended run with its metrics, samples and log. Models it made stay."""
    with db.transaction() as session:
        folders = runs.delete(session, run_id, who(request))
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    return Response(status_code=204)


@router.post("/runs/{run_id}/stop")
def stop(run_id: int, request: Request) -> dict[str, Any]:
    """Asks the run to save a checkpoint and end; it can be resumed."""
    with db.transaction() as session:
        return as_json(runs.stop(session, run_id, who=who(request)))


@router.post("/runs/{run_id}/pause")
def pause(run_id: int, request: Request) -> dict[str, Any]:
    """Asks the run to save a checkpoint and give its device to others."""
    with db.transaction() as session:
        return as_json(runs.stop(session, run_id, pause=True, who=who(request)))


@router.post("/runs/{run_id}/resume")
def resume(run_id: int, request: Request) -> dict[str, Any]:
    """Puts a stopped or failed run back in the queue, to go on from its last checkpoint."""
    with db.transaction() as session:
        answer = as_json(runs.resume(session, run_id, who(request)))
    queue.wake_workers()
    return answer


@router.get("/runs/{run_id}/config")
def config(run_id: int) -> RunConfig:
    """The configuration that would start this run again."""
    with db.reading() as session:
        return runs.config_of(runs.get(session, run_id))


@router.get("/runs/{run_id}/script", response_class=Response)
def as_script(run_id: int) -> Response:
    """The run as a plain training script, its rows and its libraries' lock, zipped: it needs no studio."""
    with db.reading() as session:
        run = runs.get(session, run_id)
        packed = script.archive(script.bundle(session, run))
    named = f'attachment; filename="run-{run_id}.zip"'
    return Response(packed, media_type="application/zip", headers={"Content-Disposition": named})


@router.get("/runs/{run_id}/log")
def log(run_id: int) -> dict[str, str]:
    """The end of what the trainer printed."""
    with db.reading() as session:
        return {"log": attempts.log_of(session, runs.get(session, run_id).id)}


@router.get("/runs/{run_id}/samples")
def samples(run_id: int) -> list[dict[str, Any]]:
    """What the model answered to the sample prompts, by step. Numbers from 1,000 on are answers to other
    prompts that the trainer made itself: the best and the worst of a moment."""
    with db.reading() as session:
        found = session.query(Sample).filter_by(run_id=runs.get(session, run_id).id)
        rows = found.order_by(Sample.number, Sample.step).all()
        return [plain(sample, "step number prompt answer reference scores") for sample in rows]


@router.get("/compare")
def compare(
    runs_: str = Query(..., alias="runs", description="Ids: 7,8"), all: bool = False
) -> dict[str, Any]:
    """Settings of several runs side by side; only those that differ unless `all`."""
    ids = [int(part) for part in runs_.split(",") if part.strip().isdigit()]
    if len(ids) < 2:
        raise StudioError("Name at least two runs.", hint="For example ?runs=7,8.", field="runs")
    with db.reading() as session:
        found = [runs.get(session, run_id) for run_id in ids[:MOST_COMPARED]]
        return {
            "runs": [as_json(run) for run in found],
            "settings": comparison.table(found, differences_only=not all),
        }
