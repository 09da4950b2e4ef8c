"""Stop, resume, pause and clone, as a person does them."""

import io
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.running import ROOT, RunningStudio, until


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
    marks = studio.api.get("/api/metrics/marks", params={"run": run}).json()[str(run)]
    assert [mark["step"] for mark in marks if mark["kind"] == "resume"] == [stopped["step"]]


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


def test_a_run_that_cannot_start_fails_with_words_and_the_log(
    studio: RunningStudio, labelled: int, tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(ROOT / "examples" / "starter-model", folder)
    model = studio.api.post("/api/models", json={"source": str(folder)}).json()["id"]
    (folder / "config.json").unlink()
    run = studio.launch(model=model, dataset=labelled, adapter="full")
    ended = studio.finish(run, state="failed")
    assert "could not be loaded" in ended["error"]["message"]
    assert ended["error"]["hint"]
    assert "Traceback" in studio.api.get(f"/api/runs/{run}/log").json()["log"]
    (folder / "config.json").write_bytes((ROOT / "examples/starter-model/config.json").read_bytes())
    assert studio.api.post(f"/api/runs/{run}/resume").status_code == 200
    studio.api.post(f"/api/runs/{run}/stop")
    studio.finish(run, state="cancelled")


def test_lora_trains_stops_resumes_and_answers_in_chat(
    studio: RunningStudio, train: Callable[..., int]
) -> None:
    run = train(adapter="lora")
    studio.reach(run, 15)
    studio.api.post(f"/api/runs/{run}/stop")
    studio.finish(run, state="cancelled")
    studio.api.post(f"/api/runs/{run}/resume")
    studio.finish(run)
    assert [step for _, step, _ in studio.metric_rows(run)] == list(range(1, 61))
    made = next(m for m in studio.api.get("/api/models").json() if m["run_id"] == run)
    chat = {"models": [made["base_id"], made["id"]], "message": "take two tablets by mouth twice daily"}
    key = studio.api.post("/api/chat", json=chat | {"options": {"max_new_tokens": 16}}).json()["chat"]

    def answered() -> list[dict[str, Any]] | None:
        answers: list[dict[str, Any]] = studio.api.get(f"/api/chat/{key}").json()["answers"]
        return answers if all(answer["state"] == "done" for answer in answers) else None

    answers = until(answered, 60, "two answers")
    assert [answer["model_id"] for answer in answers] == chat["models"]
    assert all(answer["tokens"] > 0 and answer["text"] for answer in answers)


def test_chat_with_another_model_needs_no_new_process_and_a_broken_one_says_so(
    studio: RunningStudio, tmp_path: Path
) -> None:
    def ask(model: int) -> dict[str, Any]:
        question = {"models": [model], "message": "take one tablet daily", "options": {"max_new_tokens": 8}}
        key = studio.api.post("/api/chat", json=question).json()["chat"]

        def ended() -> dict[str, Any] | None:
            answer: dict[str, Any] = studio.api.get(f"/api/chat/{key}").json()["answers"][0]
            return answer if answer["state"] in ("done", "failed") else None

        return until(ended, 60, "an answer")

    made = []
    for name in ("one", "two"):
        folder = tmp_path / name
        shutil.copytree(ROOT / "examples" / "starter-model", folder)
        made.append(studio.api.post("/api/models", json={"source": str(folder)}).json()["id"])
    (tmp_path / "two" / "config.json").unlink()
    assert ask(made[0])["state"] == "done"
    broken = ask(made[1])
    assert broken["state"] == "failed"
    assert "could not be loaded" in broken["text"]
    assert ask(made[0])["state"] == "done"
    assert studio.rows("SELECT count(*) FROM run WHERE kind = 'serve' AND state = 'running'")[0][0] == 1


def test_a_models_download_is_a_zip_of_safetensors_and_json_only(
    studio: RunningStudio, train: Callable[..., int]
) -> None:
    run = train(max_steps=2)
    studio.finish(run)
    made = next(m for m in studio.api.get("/api/models").json() if m["run_id"] == run)
    answer = studio.api.get(f"/api/models/{made['id']}/download")
    names = zipfile.ZipFile(io.BytesIO(answer.content)).namelist()
    assert "model.safetensors" in names
    assert {Path(name).suffix for name in names} <= {".safetensors", ".json", ".jinja", ".md"}
