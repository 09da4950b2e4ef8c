"""Stop, resume, pause and clone, as a person does them."""

from collections.abc import Callable
from typing import Any

from tests.running import RunningStudio, until


def test_a_stopped_run_saves_and_resumes_where_it_was(
    studio: RunningStudio, train: Callable[..., int], undisturbed: list[Any]
) -> None:
    run = train()
    studio.reach(run, 15)
    assert studio.api.post(f"/api/runs/{run}/stop").status_code == 200
    stopped = studio.finish(run, state="cancelled")
    assert stopped["step"] < 60
    assert (
        studio.rows("SELECT max(step) FROM checkpoint WHERE run_id = :run", run=run)[0][0] >= stopped["step"]
    )
    assert studio.api.post(f"/api/runs/{run}/resume").status_code == 200
    studio.finish(run)
    assert studio.metric_rows(run) == undisturbed


def test_a_queued_run_stops_at_once_and_the_queue_says_what_is_ahead(
    studio: RunningStudio, train: Callable[..., int]
) -> None:
    first, second = train(), train()
    until(lambda: studio.show(first)["state"] == "running", 60, "the first run")
    assert studio.show(second)["state"] == "queued"
    studio.api.post(f"/api/runs/{second}/stop")
    assert studio.show(second)["state"] == "cancelled"
    studio.api.post(f"/api/runs/{first}/pause")
    studio.finish(first, state="paused")


def test_stopping_what_has_ended_is_refused_in_words(
    studio: RunningStudio, train: Callable[..., int]
) -> None:
    run = train(max_steps=2)
    studio.finish(run)
    answer = studio.api.post(f"/api/runs/{run}/stop")
    assert answer.status_code == 409
    assert "succeeded already" in answer.json()["error"]


def test_ctrl_c_saves_runs_and_the_next_start_goes_on(
    studio: RunningStudio, train: Callable[..., int], undisturbed: list[Any]
) -> None:
    run = train()
    studio.reach(run, 15)
    studio.stop()
    assert studio.rows("SELECT state FROM run WHERE id = :run", run=run)[0][0] == "queued"
    studio.start()
    studio.finish(run)
    assert studio.metric_rows(run) == undisturbed


def test_a_failed_run_says_why_in_words(studio: RunningStudio, train: Callable[..., int]) -> None:
    run = train(learning_rate=1.0, max_grad_norm=1000, max_steps=40)
    ended = until(lambda: (r := studio.show(run))["state"] in ("failed", "succeeded") and r, 120, "the end")
    if ended["state"] == "failed":
        assert ended["error"]["hint"]
