"""A use case climbs with a real worker: measured, trained on its examples, measured again, though the worker
is killed on the way."""

import signal
from pathlib import Path
from typing import Any

from tests import climbing
from tests.running import RunningStudio, until


def test_it_goes_from_the_baseline_over_sft_to_a_verdict_though_the_worker_is_killed(
    studio: RunningStudio, tmp_path: Path
) -> None:
    project = climbing.small(studio, tmp_path)
    asked = {"project": project, "until_phase": 2, "hours": 1}
    number = studio.api.post("/api/climbs", json=asked).raise_for_status().json()["id"]

    def steps(count: int) -> Any:
        climb = studio.api.get(f"/api/climbs/{number}").json()
        assert climb["state"] != "stopped", (climb["reason"], studio.log())
        return len(climb["steps"]) >= count and climb

    training = until(lambda: steps(2), 120, "the training")["steps"][1]
    studio.reach(training["run"], 5)
    studio.part("worker").send_signal(signal.SIGKILL)
    climb = until(lambda: (found := steps(3)) and found["state"] == "done" and found, 180, "the end")
    assert [step["kind"] for step in climb["steps"]] == ["evaluate", "train", "evaluate"]
    assert [step["rule"] for step in climb["steps"]] == ["", "L08", ""]
    of_sft = climb["steps"][2]["figures"]
    assert (of_sft["asked"], of_sft["verdict"] in ("better", "open")) == (30, True)
    ladder = studio.api.get(f"/api/ladders/{project}").json()
    measured = [rung for rung in ladder["rungs"] if rung["figure"]]
    assert [rung["phase"] for rung in measured] == [0, 1, 2]
    assert measured[2]["gain"]["asked"] == 30
    assert measured[2]["seconds"] > 0
    run = studio.show(training["run"])
    assert (run["attempt"], run["priority"]) == (1, -10)
