"""The table of runs: what a row says, honest waiting, search, filter, and a choice kept in the address."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from app.pages import run_words, runs, waiting
from studio import db, sweeps
from studio.models import Host, Lease, Run, State, Sweep, now
from studio.runs import RunConfig
from tests import made_runs


def page(query: str = "") -> str:
    answer = made_runs.fragments().get(f"/parts/runs?{query}")
    assert answer.status_code == 200
    return answer.text


def three(session: Session) -> list[Run]:
    model, data = made_runs.base(session), made_runs.version(session)
    return [
        made_runs.made(session, model, data, State.SUCCEEDED, losses=[2.0, 0.45119], name="alpha"),
        made_runs.made(session, model, data, State.RUNNING, losses=[2.0], total=10, name="beta"),
        made_runs.made(session, model, data, State.FAILED, name="gamma", adapter="full"),
    ]


def test_an_empty_table_says_what_a_run_is_and_how_to_start_one(database: Path) -> None:
    text = page()
    assert "No runs yet" in text
    assert 'href="/new-run"' in text


def test_a_row_says_state_technique_model_data_progress_and_loss(database: Path) -> None:
    with db.transaction() as session:
        three(session)
    text = page()
    for words in (
        "alpha",
        "done",
        "SFT · LoRA",
        "SFT · Full",
        "starter",
        "directions · v1",
        "0.4512",
        "1 / 10",
    ):
        assert words in text
    assert "0.45119<" not in text


def test_a_loss_that_is_no_number_is_named(database: Path) -> None:
    with db.transaction() as session:
        three(session)[1].latest = {"loss": "NaN"}
    assert "not a number" in page()


def test_search_looks_at_every_word_in_name_technique_model_and_dataset(database: Path) -> None:
    with db.transaction() as session:
        three(session)
    assert "gamma" in page("q=full+directions")
    assert "alpha" not in page("q=full+directions")
    assert "No run matches" in page("q=nothing")


def test_the_filter_counts_and_shows_one_kind_of_state(database: Path) -> None:
    with db.transaction() as session:
        three(session)
    text = page("state=failed")
    assert "gamma" in text
    assert "alpha" not in text
    assert 'Failed <span class="muted">1</span>' in text


def test_the_choice_of_the_address_is_ticked_and_offers_the_comparison(database: Path) -> None:
    with db.transaction() as session:
        first, second, _ = (run.id for run in three(session))
    text = page(f"pick={second},{first}")
    assert text.count(" checked") == 2
    assert f'href="/compare?runs={first},{second}"' in text
    assert "Choose one more to compare" in page(f"pick={first}")


def test_a_chosen_run_that_the_filter_hides_stays_chosen(database: Path) -> None:
    with db.transaction() as session:
        first, *_ = three(session)
    assert f'<input type="hidden" name="pick" value="{first.id}"' in page(f"state=failed&pick={first.id}")


def test_actions_are_those_the_state_allows(database: Path) -> None:
    with db.transaction() as session:
        done, running, failed = three(session)
    text = page()
    assert f"/api/runs/{running.id}/stop" in text
    assert f"/api/runs/{failed.id}/resume" in text
    assert f"/api/runs/{done.id}/stop" not in text
    assert f"/api/runs/{done.id}/resume" not in text


def test_names_of_people_are_escaped(database: Path) -> None:
    with db.transaction() as session:
        made_runs.made(
            session, made_runs.base(session), made_runs.version(session), name="<img src=x onerror=alert(1)>"
        )
    text = page()
    assert "<img" not in text
    assert "&lt;img src=x" in text


def test_a_queue_without_a_worker_says_how_to_start_one(database: Path) -> None:
    with db.transaction() as session:
        made_runs.made(session, made_runs.base(session), made_runs.version(session))
    text = page()
    assert "no worker is running – start one with" in text
    assert "tunesmith worker" in text


def test_a_host_not_heard_of_for_long_counts_as_gone(database: Path) -> None:
    with db.transaction() as session:
        made_runs.host(session)
        session.get_one(Host, "workstation").seen = now() - timedelta(seconds=30)
        made_runs.made(session, made_runs.base(session), made_runs.version(session))
    assert "no worker is running" in page()


@pytest.mark.parametrize(
    ("gpus", "held", "place", "words"),
    [
        (1, True, 2, "1 run ahead"),
        (1, True, 1, "first in line, waits for a free GPU"),
        (1, False, 1, "first in line, starts in a moment"),
        (2, False, 1, "needs 2 GPUs; the largest host has 1"),
    ],
)
def test_a_queued_run_says_what_it_waits_for(
    database: Path, gpus: int, held: bool, place: int, words: str
) -> None:
    gpu = {"name": "gpu:GPU-1", "title": "A GPU", "gb": 80, "kinds": ["train", "serve"]}
    with db.transaction() as session:
        made_runs.host(session, gpu)
        model, data = made_runs.base(session), made_runs.version(session)
        busy = made_runs.made(session, model, data, State.RUNNING)
        waiting_runs = [made_runs.made(session, model, data, gpus=gpus) for _ in range(place)]
        if held:
            session.add(Lease(host="workstation", device="gpu:GPU-1", run_id=busy.id, attempt=1))
        session.flush()
        assert waiting.look(session).why(waiting_runs[-1]).text == words


def test_the_table_calms_down_when_nothing_runs(database: Path) -> None:
    client = made_runs.fragments()
    with db.transaction() as session:
        model, data = made_runs.base(session), made_runs.version(session)
        made_runs.made(session, model, data, State.SUCCEEDED, losses=[1.0])
    assert client.get("/parts/runs").headers["live-every"] == f"{runs.CALM:g}"
    with db.transaction() as session:
        made_runs.made(session, model, data)
    assert client.get("/parts/runs").headers["live-every"] == "1"


def test_a_long_table_shows_the_newest_rows_first_and_the_rest_on_demand(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "AT_FIRST", 2)
    with db.transaction() as session:
        three(session)
    text = page()
    assert "alpha" not in text
    assert "1 more, older" in text
    assert "alpha" in page("show=all")


def test_time_is_what_is_left_or_what_it_took(database: Path) -> None:
    with db.transaction() as session:
        done, running, _ = three(session)
        running.seconds_left = 125.0
        assert done.started
        done.ended = done.started + timedelta(minutes=5)
        assert run_words.time(running) == "2 min left"
        assert run_words.time(done) == "took 5 min"


def swept(session: Session, *values: float | None, held_out: bool = True) -> Sweep:
    """A sweep of three learning rates and the adapter's rank, each run with this newest held-out loss."""
    model, data = made_runs.base(session), made_runs.version(session)
    apart = made_runs.version(session, "apart").id if held_out else ""
    config = RunConfig(model=model.id, dataset=data.id, held_out=apart)
    fields = {"learning_rate": [0.1, 0.01, 0.001], "adapter.r": [4]}
    sweep = sweeps.launch(session, config, name="rates", fields=fields)
    for run, value in zip(sweeps.runs_of(session, sweep.id), values, strict=True):
        run.latest = {} if value is None else {"eval_loss": value}
    return sweep


def rows(text: str) -> list[str]:
    """Each row's words."""
    found = re.findall("<tr data-href.*?</tr>", text, re.DOTALL)
    return [" ".join(re.sub("<[^>]*>", " ", row).split()) for row in found]


def test_a_sweep_shows_its_runs_alone_with_what_each_tried_the_best_first(database: Path) -> None:
    with db.transaction() as session:
        sweep = swept(session, None, 0.7, 0.31234)
        other = made_runs.base(session, "other")
        made_runs.made(session, other, made_runs.version(session, "more"), name="beta")
    text = page(f"sweep={sweep.id}")
    for words in ("Ranked by held-out loss: the lower, the better", "Learning rate", "Rank", "Held-out loss"):
        assert words in text
    assert "beta" not in text
    assert f"/api/sweeps/{sweep.id}/stop" in text
    first, second, third = rows(text)
    assert "rates 3 best so far" in first
    assert "0.001 4 0.3123" in first
    assert "rates 2" in second
    assert "best" not in second
    assert "0.1 4 –" in third
    assert "part of a sweep" in page()


def test_the_best_of_a_sweep_that_is_over_is_the_best(database: Path) -> None:
    with db.transaction() as session:
        sweep = swept(session, 0.1, 0.7, 0.3)
        sweeps.stop(session, sweep.id)
    first = rows(page(f"sweep={sweep.id}"))[0]
    assert "rates 1 best" in first
    assert "so far" not in first


def test_a_sweep_that_nothing_is_known_of_yet_says_what_will_rank_it(database: Path) -> None:
    with db.transaction() as session:
        sweep = swept(session, None, None, None)
    text = page(f"sweep={sweep.id}")
    assert "Ranked by held-out loss as soon as that is measured." in text
    assert "rates 1" in rows(text)[0]


def test_a_sweep_that_cannot_be_ranked_says_why(database: Path) -> None:
    with db.transaction() as session:
        sweep = swept(session, 0.1, 0.2, 0.3, held_out=False)
    text = page(f"sweep={sweep.id}")
    assert "nothing is held out" in text
    assert "best" not in "".join(rows(text))
    with db.transaction() as session:
        runs_of = sweeps.runs_of(session, sweep.id)
        runs_of[0].technique = "dpo"
    assert "different techniques do not compare" in page(f"sweep={sweep.id}")
