"""What happened to runs at which step: checkpoints, evaluations, resumes and changes, for their charts."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from studio import db, marks, runs

router = APIRouter(prefix="/api", tags=["metrics"])
MOST_RUNS = 50


@router.get("/metrics/marks")
def read_marks(
    run: Annotated[list[int], Query(description="One or more run ids.")],
) -> dict[str, list[dict[str, Any]]]:
    """The marks of each run, by step."""
    wanted = list(dict.fromkeys(run))[:MOST_RUNS]
    with db.reading() as session:
        found = marks.of(session, [runs.get(session, run_id) for run_id in wanted])
        return {str(run_id): [mark._asdict() for mark in of] for run_id, of in found.items()}
