"""A real training that a tracker is told of, through a stop, a server that is away, and a resume."""

import json
from pathlib import Path
from typing import Any

from tests.engine.conftest import SHORT
from tests.running import SAMPLE, RunningStudio, until
from tests.worker.mirror_servers import Mlflow, Refusal, served


def points(tracker: Mlflow) -> set[tuple[str, int]]:
    (run,) = tracker.runs.values()
    told = [(key, step) for key, step, _, _ in run["points"]]
    assert len(told) == len(set(told)), "told twice"
    return set(told)


def test_a_training_is_mirrored_whole_and_once_through_stop_absence_and_resume(tmp_path: Path) -> None:
    tracker = Mlflow()
    with served(tracker) as address:
        studio = RunningStudio(tmp_path / "studio", TUNESMITH_MIRROR_MLFLOW=address)
        studio.start()
        try:
            rows = tmp_path / "directions.jsonl"
            rows.write_text("".join((SAMPLE / "train.jsonl").read_text().splitlines(keepends=True)[:60]))
            data = studio.upload(rows)["id"]
            run = studio.launch(
                model="Tunesmith starter", dataset=data, adapter="full", parameters=SHORT | {"max_steps": 40}
            )
            studio.reach(run, 12)
            until(lambda: tracker.runs and points(tracker), 20, "the first points at the tracker")
            tracker.down = Refusal(503, {"message": "busy"})
            studio.api.post(f"/api/runs/{run}/stop")
            studio.finish(run, state="cancelled")
            studio.api.post(f"/api/runs/{run}/resume")
            studio.finish(run)
            tracker.down = None
            until(lambda: told(tracker)["status"] == "FINISHED", 60, "the end at the tracker")
            assert points(tracker) == logged(studio, run)
            assert told(tracker)["params"]["learning_rate"]
        finally:
            studio.close()


def told(tracker: Mlflow) -> dict[str, Any]:
    (run,) = tracker.runs.values()
    return run


def logged(studio: RunningStudio, run: int) -> set[tuple[str, int]]:
    rows = studio.rows("SELECT step, data FROM metric WHERE run_id = :run", run=run)
    return {(key, step) for step, data in rows for key in json.loads(data)}
