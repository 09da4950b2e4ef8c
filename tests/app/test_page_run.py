"""The page of one run: header, charts, samples, settings, log, history, and the ways to act on it."""

import hashlib
import json
import re
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from app.pages import run as page
from app.pages import run_samples
from studio import attempts, db, runs, techniques
from studio.metrics import upkeep
from studio.models import Checkpoint, Model, Run, Sample, State
from tests import made_runs


def read(name: str, query: str) -> str:
    answer = made_runs.fragments().get(f"/parts/{name}?{query}")
    assert answer.status_code == 200
    return answer.text


def header(run: Run) -> str:
    return read("run-header", f"id={run.id}") + read("run-now", f"id={run.id}")


def view(run: Run, tab: str = "charts", **more: str) -> str:
    return read("run-view", "&".join([f"id={run.id}", f"tab={tab}", *(f"{k}={v}" for k, v in more.items())]))


def made(session: Session, state: State = State.RUNNING, **more: object) -> Run:
    losses = () if state in (State.QUEUED, State.CLAIMED) else (2.3456, 1.0)
    given = {"losses": losses, "total": 10 if losses else None, "name": "first"} | more
    return made_runs.made(session, made_runs.base(session), made_runs.version(session), state, **given)  # type: ignore[arg-type]


def test_a_run_that_is_not_there_leads_back_to_the_list(database: Path) -> None:
    for query in ("id=99", "id=abc", ""):
        assert "There is no such run" in read("run-header", query)
        assert read("run-view", query) == ""


def test_the_header_shows_step_loss_and_the_loss_it_began_with(database: Path) -> None:
    with db.transaction() as session:
        run = made(session)
        run.seconds_left = 300.0
    text = header(run)
    for words in ("first", "running", "of 10", "began at 2.346", "5 min", "SFT", "LoRA", "500 rows"):
        assert words in text
    assert f"/api/runs/{run.id}/stop" in text
    assert f"/api/runs/{run.id}/pause" in text
    assert f"/api/runs/{run.id}/resume" not in text


def test_what_it_is_doing_before_the_first_step_is_said(database: Path) -> None:
    with db.transaction() as session:
        run = made(session, State.CLAIMED)
        run.activity = "Loading the model"
    text = header(run)
    assert "starting" in text
    assert "Loading the model" in text


def test_a_run_asked_to_stop_offers_no_second_stop(database: Path) -> None:
    with db.transaction() as session:
        run = made(session)
        runs.stop(session, run.id)
    text = header(run)
    assert "Stopping: saving a checkpoint" in text
    assert f"/api/runs/{run.id}/stop" not in text


def test_a_queued_run_is_not_called_started(database: Path) -> None:
    with db.transaction() as session:
        run = made(session, State.QUEUED)
    text = header(run)
    assert "Queued: no worker is running" in text
    assert "running for" not in text


def test_a_failure_says_what_to_do_and_keeps_details_and_log(database: Path) -> None:
    with db.transaction() as session:
        run = made(session, State.FAILED)
        run.error = {"kind": "out of memory", "message": "The device ran out of memory."}
        run.error = run.error | {"hint": "Clone it with half the batch size.", "details": "Traceback <b>"}
        attempts.add_log(session, run.id, 1, "the last line\n", 14)
    text = header(run)
    for words in (
        "The device ran out of memory.",
        "half the batch size",
        "Traceback &lt;b&gt;",
        "the last line",
    ):
        assert words in text
    clone = text.index(f'href="/new-run?clone={run.id}"')
    assert "primary" in text[text.rindex("<a", 0, clone) : clone]


def test_a_model_it_made_can_be_asked_and_downloaded(database: Path) -> None:
    with db.transaction() as session:
        run = made(session, State.SUCCEEDED)
        model = Model(name="result", source="runs/1/model", run_id=run.id, base_id=run.model_id)
        session.add(model)
        session.flush()
    text = header(run)
    assert f"/try?models={run.model_id},{model.id}" in text
    assert f"/api/models/{model.id}/download" in text


@pytest.mark.parametrize(
    ("technique", "kind", "button", "does"),
    [
        ("sft", "language", "Continue from it", "starts from"),
        ("reward_model", "reward", "Continue from it", "learns from"),
        ("feature_classifier", "classifier", "", ""),
    ],
)
def test_a_run_is_continued_where_techniques_take_what_it_made(
    database: Path, technique: str, kind: str, button: str, does: str
) -> None:
    with db.transaction() as session:
        run = made(session, State.SUCCEEDED)
        run.technique = technique
        session.add(Model(name="result", source="runs/1/model", run_id=run.id, kind=kind))
    text = header(run)
    assert (f'href="/new-run?from={run.id}"' in text) is bool(button)
    assert button in text
    assert does in text


@pytest.mark.parametrize("state", State)
def test_what_follows_can_be_queued_as_long_as_a_model_is_to_come(database: Path, state: State) -> None:
    with db.transaction() as session:
        run = made(session, state)
        run.technique = "reward_model"
    assert ("Queue what follows" in header(run)) is (state in runs.GOING)


def test_nothing_is_queued_after_a_run_that_is_being_stopped(database: Path) -> None:
    with db.transaction() as session:
        run = made(session)
        runs.stop(session, run.id)
    assert "Queue what follows" not in header(run)


def test_a_run_names_what_it_goes_on_from_and_what_went_on_from_it(database: Path) -> None:
    with db.transaction() as session:
        first = made(session, State.RUNNING)
        second = after(session, first, "second")
        third = after(session, second, "third")
    for run, said in (
        (first, "Followed by SFT second"),
        (second, "Goes on from SFT first Followed by SFT third"),
        (third, "Goes on from SFT first → SFT second"),
    ):
        text = header(run)
        assert said in " ".join(re.sub("<[^>]*>", " ", text).split())
        others = [each for each in (first, second, third) if each.name in said]
        assert all(f'href="/run?id={each.id}"' in text for each in others)


def after(session: Session, run: Run, name: str) -> Run:
    config = runs.config_of(run).model_copy(update={"name": name, "model": f"run:{run.id}"})
    return runs.launch(session, config)


def test_charts_are_asked_for_this_run_alone(database: Path) -> None:
    with db.transaction() as session:
        run = made(session)
    text = view(run)
    assert f'data-charts="/api/metrics?run={run.id}"' in text
    assert 'aria-current="page">Charts' in text


def test_an_unknown_tab_shows_the_charts(database: Path) -> None:
    with db.transaction() as session:
        run = made(session)
    assert "data-charts" in view(run, "nonsense")


def sample(run: Run, step: int, answer: str, reference: str = '{"dose": 2}', number: int = 0) -> Sample:
    scores = {"exact_match": float(answer == reference)}
    return Sample(
        run_id=run.id,
        step=step,
        number=number,
        prompt="two <b>puffs",
        answer=answer,
        reference=reference,
        scores=scores,
    )


def test_samples_stand_side_by_side_with_marks_and_a_score(database: Path) -> None:
    with db.transaction() as session:
        run = made(session, State.SUCCEEDED)
        session.add_all([sample(run, 0, '{"dose": 1}'), sample(run, 10, '{"dose": 2}')])
    text = view(run, "samples")
    assert '<del class="word">1</del>' in text
    assert '<ins class="word">2</ins>' in text
    assert "0 of 1" in text
    assert "1 of 1" in text
    assert "differs" in text
    assert "matches" in text
    assert "two &lt;b&gt;puffs" in text


def test_an_answer_that_is_wrong_shows_what_the_reference_has_and_it_lacks(database: Path) -> None:
    with db.transaction() as session:
        run = made(session, State.SUCCEEDED)
        session.add_all([sample(run, 0, ""), sample(run, 10, '{"dose": 3}')])
    assert "<mark" in view(run, "samples")
    assert "empty answer" in view(run, "samples")


def test_before_training_ends_the_second_answer_is_promised(database: Path) -> None:
    with db.transaction() as session:
        run = made(session)
        session.add(sample(run, 0, "x"))
    assert "The model answers again while it trains, and when training ends." in view(run, "samples")


def test_a_run_told_to_ask_nothing_has_no_samples_and_says_why(database: Path) -> None:
    with db.transaction() as session:
        run = made(session, parameters={"sample_prompts": 0})
    assert "told to answer no sample prompts" in view(run, "samples")


def test_only_answers_with_something_in_common_are_marked_word_by_word() -> None:
    gone, come = run_samples.marked("take one tablet", "take two tablets")
    assert ("one", True) in gone
    assert ("two", True) in come
    assert run_samples.marked("abc def", "1 2 3 4") == ([("abc def", False)], [("1 2 3 4", False)])


def test_a_figure_outside_its_healthy_range_says_so_in_words(database: Path) -> None:
    with db.transaction() as session:
        run = made(session)
        run.latest = {"mean_token_accuracy": 0.9}
    assert "healthy" not in header(run)
    with db.transaction() as session:
        runs.get(session, run.id).latest = {"mean_token_accuracy": 0.1}
    assert "too low: healthy is above 0.3" in header(run)


def test_settings_say_what_was_changed_suggested_or_default_and_why(database: Path) -> None:
    with db.transaction() as session:
        run = made(session, parameters={"learning_rate": 0.0005})
    text = view(run, "settings")
    source = techniques.get("sft").suggestions("lora", 4_200_000)["learning_rate"].source
    assert f"otherwise 0.01: {source}" in text
    assert f"for LoRA and a model of this size: {source}" in text
    assert "transformers TrainingArguments default" in text
    assert "0.0005" in text
    assert "changed" in text
    assert "suggested" in text
    assert "default" in text
    assert "Weight decay" in text
    assert "Weight decay" not in view(run, "settings", only="changed")
    assert hashlib.sha256(b"directions").hexdigest()[:16] in text
    assert "ab12ab12ab12ab12" in text


def test_the_command_that_does_the_same_is_a_configuration_the_studio_accepts(database: Path) -> None:
    with db.transaction() as session:
        run = made(session, parameters={"learning_rate": 0.0005}, seed=7)
        text = page.run_settings.command(run)
        config = json.loads(text[text.index("{") : text.rindex("}") + 1])
        again = runs.launch(session, runs.RunConfig(**config))
        assert (again.parameters, again.seed, again.model_id) == (run.parameters, 7, run.model_id)
    assert text.endswith("tunesmith run start run.json")


def test_the_log_comes_in_pieces_that_an_update_only_adds_to(database: Path) -> None:
    with db.transaction() as session:
        run = made(session)
        attempts.add_log(session, run.id, 1, "one <script>\n", 13)
        attempts.add_log(session, run.id, 1, " 10%\r 20%\r 30%\n", 30)
    text = view(run, "log")
    assert "data-stick" in text
    assert '<span data-key="p0">one &lt;script&gt;\n</span>' in text
    assert "30%" in text
    assert "10%" not in text


def test_a_run_that_printed_nothing_says_so(database: Path) -> None:
    with db.transaction() as session:
        run = made(session, State.QUEUED)
    assert "Nothing printed yet" in view(run, "log")


def test_the_history_tells_who_did_what_and_on_which_device(database: Path) -> None:
    with db.transaction() as session:
        run = made(session, State.PAUSED)
        runs.resume(session, run.id, "grace")
        session.add(Checkpoint(run_id=run.id, step=50, folder="runs/1/checkpoint-50"))
    text = view(run, "history")
    for words in ("Launched", "ada", "attempt 1", "CPU slot 0", "Paused", "Resumed", "grace", "Step 50"):
        assert words in text


def test_the_history_lists_the_checkpoints_that_are_still_there(database: Path) -> None:
    with db.transaction() as session:
        run = made(session, parameters={"save_total_limit": 2})
        for step in (100, 200, 300):
            session.add(Checkpoint(run_id=run.id, step=step, folder=f"runs/1/checkpoint-{step}"))
    text = view(run, "history")
    assert "Step 100" not in text
    assert text.index("Step 300") < text.index("Step 200")
    assert "kept, saved" in text


def test_a_run_that_is_over_is_asked_about_less_often(database: Path) -> None:
    with db.transaction() as session:
        run = made(session, State.SUCCEEDED)
    answer = made_runs.fragments().get(f"/parts/run-header?id={run.id}")
    assert answer.headers["live-every"] == f"{page.CALM:g}"


def test_graders_choices_and_what_the_trainer_worked_out_are_told(database: Path) -> None:
    with db.transaction() as session:
        run = made(session, State.SUCCEEDED)
        run.graders = [{"grader": "exact_match", "name": "right", "weight": 0.5, "parameters": {}}]
        run.choices = [{"name": "torch_compile", "value": "off", "reason": "No GPU on this machine."}]
        run.report = {
            "distillation": {"accepted": 7, "rejected_examples": [{"prompt": "why", "reward": 0.25}]}
        }
    text = view(run, "settings")
    for words in ("right", "0.5", "torch compile", "No GPU on this machine.", "Accepted", "why", "0.25"):
        assert words in text
    assert f"/api/runs/{run.id}/script" in text


def test_models_of_graders_and_inputs_are_named_and_lead_to_their_cards(database: Path) -> None:
    with db.transaction() as session:
        first = made(session, State.RUNNING)
        judge = Model(name="Kind judge", source="models/judge", kind="reward")
        session.add(judge)
        session.flush()
        second = after(session, first, "second")
        second.technique, second.inputs = "ppo", second.inputs | {"value_model": f"run:{first.id}"}
        scored = {"grader": "reward_model", "name": "kindness", "parameters": {"model": str(judge.id)}}
        second.graders = [scored]
    text = view(second, "settings")
    assert f'<a href="/model?id={judge.id}">Kind judge</a>' in text
    makes = f'<a href="/run?id={first.id}">what “first” makes</a>'
    assert f"<dt>Model</dt><dd>{makes}" in text
    assert f"<dt>Start of the value model</dt><dd>{makes}" in text


def test_a_range_that_a_trainer_worked_out_is_worded(database: Path) -> None:
    with db.transaction() as session:
        run = made(session, State.SUCCEEDED)
        told = {"range of the paper": [1.0, 1.3333], "labels": ["good", "bad"], "derived": True}
        run.report = {"KTO weights": told}
    text = view(run, "settings")
    for name, value in (("Range of the paper", "1 to 1.3333"), ("Labels", "good, bad"), ("Derived", "yes")):
        assert f"<dt>{name}</dt><dd>{value}</dd>" in text


def test_a_waiting_run_says_for_whom_and_that_it_waits_in_vain(database: Path) -> None:
    with db.transaction() as session:
        first = made(session, State.RUNNING)
        second = made_runs.made(session, first.model, first.dataset_version, State.QUEUED, name="second")
        second.after_id = first.id
    assert "starts from what “first” makes" in header(second)
    with db.transaction() as session:
        runs.get(session, first.id).state = State.FAILED
    assert "failed: resume it first" in header(second)


def test_a_run_whose_points_were_thinned_says_so_at_its_charts_and_in_its_history(database: Path) -> None:
    with db.transaction() as session:
        run = made(session, State.SUCCEEDED, losses=[1.0] * 4096)
    assert "extremes of every 64" not in view(run)
    with db.transaction() as session:
        upkeep.thin(session, run.id, 30)
    assert "Of older points the extremes of every 64 are kept" in view(run)
    told = view(run, "history")
    assert "Points thinned" in told
    assert "of 4,096 logged moments" in told


def test_an_imported_run_says_where_it_comes_from_and_offers_no_clone(database: Path) -> None:
    with db.transaction() as session:
        run = runs.imported(session, "elsewhere", source="trainer_state.json", who="ada")
        run.latest = {"loss": 1.5}
    text = header(run)
    assert "Imported from trainer_state.json." in text
    assert "Clone with changes" not in text
    assert "Compare" in text
    assert f"/api/runs/{run.id}/metrics.csv" in view(run)
    assert "Imported" in view(run, "history")
    for tab in ("samples", "settings", "log"):
        assert view(run, tab)
