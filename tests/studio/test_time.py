"""How long a run will take: what it is learned from, how wide it is, and how often it holds."""

import math
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy.orm import Session

from studio import adapters, db, pace, prices, techniques
from studio.estimate import time, work
from studio.estimate.time import Past
from studio.estimate.work import Job
from studio.models import DatasetVersion, Run, State
from studio.prices import Prices
from tests import made_runs

RATE = 1e11  # operations a second, in what is simulated
CHARACTERS = {"min": 10, "median": 100, "p95": 200, "max": 300, "total": 50_000}


def job(technique: str = "sft", adapter: str = "lora", rows: int = 500, **more: Any) -> Job:
    kind = techniques.get(technique)
    settings = {name: field.default for name, field in kind.parameters.model_fields.items()} | dict(
        kind.fixed
    )
    given: dict[str, Any] = {"characters": 400.0, "parameters": 5_000_000} | more
    return Job(kind, adapters.get(adapter), settings | given.pop("settings", {}), rows, **given)


def ran(of: Job, seconds: float, around: float = 5.0, device: str = "CPU", done: float = 1.0) -> Past:
    return Past(of, done, device, seconds, around)


# ---- what there is to do ------------------------------------------------------------------------------


def test_twice_the_rows_or_epochs_or_weights_are_twice_the_work() -> None:
    once = work.operations(job(rows=512))
    assert work.operations(job(rows=1024)) == pytest.approx(2 * once)
    assert work.operations(job(rows=512, settings={"num_train_epochs": 6.0})) == pytest.approx(2 * once)
    assert work.operations(job(rows=512, parameters=10_000_000)) == pytest.approx(2 * once)


def test_two_devices_share_the_work() -> None:
    assert work.operations(job(rows=512, gpus=2)) == pytest.approx(work.operations(job(rows=512)) / 2)


def test_a_row_counts_no_further_than_it_is_read() -> None:
    cut = job(characters=100_000.0, settings={"max_length": 100})
    assert work.operations(cut) == work.operations(job(characters=400.0))


def test_packing_changes_no_number_of_tokens() -> None:
    packed = work.operations(job(rows=512, settings={"packing": True}))
    assert packed == pytest.approx(work.operations(job(rows=512)))


def test_answers_that_are_written_count_with_their_length() -> None:
    short, long = (job("grpo", settings={"max_completion_length": length}) for length in (100, 500))
    assert work.operations(long) == pytest.approx(3 * work.operations(short))


# ---- how long it takes --------------------------------------------------------------------------------


def test_without_a_run_on_that_device_nothing_is_claimed() -> None:
    assert time.predict(job(), "CPU", []) is None
    assert time.predict(job(), "NVIDIA H200", [ran(job(), 60)]) is None


def test_equal_runs_tell_the_time_of_the_next() -> None:
    span = time.predict(job(), "CPU", [ran(job(), 60)] * 8)
    assert span is not None
    assert span.middle == pytest.approx(65)
    assert 35 < span.low < 65 < span.high < 130
    assert (span.runs, span.alike) == (8, "same")


def test_a_short_run_says_how_long_a_long_one_takes_without_its_loading() -> None:
    span = time.predict(job(rows=50_000), "CPU", [ran(job(rows=500), 10, around=20)] * 5)
    assert span is not None
    assert span.middle == pytest.approx(10 * 100 + 20, rel=0.02)


def test_a_stopped_run_counts_with_what_it_did() -> None:
    span = time.predict(job(), "CPU", [ran(job(), 30, done=0.5)] * 5)
    assert span is not None
    assert span.middle == pytest.approx(65)


def test_more_runs_make_it_narrower_and_other_techniques_or_sizes_wider() -> None:
    def width(past: list[Past], of: Job) -> float:
        span = time.predict(of, "CPU", past)
        assert span is not None
        return math.log(span.high / span.low)

    one, many = [ran(job(), 6000)], [ran(job(), 6000)] * 10
    dpo, grpo, larger = job("dpo"), job("grpo"), job(parameters=500_000_000)
    assert width(many, job()) < width(one, job())
    assert width(many, job()) < width(many, dpo) < width(many, grpo)
    assert width(many, job()) < width(many, larger)


def test_runs_of_the_same_technique_are_preferred_and_others_are_named() -> None:
    past = [ran(job("dpo"), 60), ran(job("grpo"), 600)]
    found = {name: time.predict(job(name), "CPU", past) for name in ("dpo", "sft", "grpo", "gspo")}
    assert [span and span.alike for span in found.values()] == ["same", "kindred", "same", "kindred"]
    foreign = time.predict(job("grpo"), "CPU", past[:1])
    assert foreign is not None
    assert foreign.source == "from 1 run of other techniques here"


@pytest.mark.parametrize("count", [1, 2, 5, 20])
def test_the_interval_holds_as_often_as_it_says_where_runs_differ_as_is_assumed(count: int) -> None:
    """The spread of each simulated studio is drawn from what is assumed beforehand."""
    rng = np.random.default_rng(count)
    held = 0
    for _ in range(2000):
        spread = time.USUAL * math.sqrt(time.COUNTS_AS / rng.chisquare(time.COUNTS_AS))
        held += _holds(rng, count, spread)
    assert 0.93 <= held / 2000 <= 0.98


@pytest.mark.parametrize("spread", [0.05, 0.2, 0.4, 0.8])
def test_with_enough_runs_it_holds_whatever_their_spread(spread: float) -> None:
    """Where runs are more alike than is assumed beforehand, it holds more often than it says."""
    rng = np.random.default_rng(7)
    held = sum(_holds(rng, 30, spread) for _ in range(1000)) / 1000
    assert held >= 0.93
    assert spread < time.USUAL or held <= 0.98


def _holds(rng: np.random.Generator, count: int, spread: float) -> bool:
    """Whether the interval from `count` simulated runs holds what the next one takes."""
    jobs = [job(rows=int(rows)) for rows in rng.integers(20_000, 200_000, size=count + 1)]
    noise = np.exp(spread * rng.standard_normal(count + 1))
    seconds = [work.operations(each) / RATE * error for each, error in zip(jobs, noise, strict=True)]
    past = [ran(each, took, around=5.0) for each, took in zip(jobs[1:], seconds[1:], strict=True)]
    span = time.predict(jobs[0], "CPU", past)
    assert span is not None
    return span.low <= seconds[0] + 5.0 <= span.high


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (487, 838, "8–14 min"),
        (12.4, 38, "12–40 s"),
        (42, 170, "40 s to 3 min"),
        (0.4, 9, "up to 9 s"),
        (3000, 5900, "50–100 min"),
        (4000, 9 * 3600, "65 min to 9 h"),
        (2 * 3600, 8.21 * 3600, "2–8.3 h"),
        (60 * 3600, 100 * 3600, "60 h to 4.2 d"),
    ],
)
def test_times_are_rounded_outwards(low: float, high: float, said: str) -> None:
    assert time.between(low, high) == said


# ---- from the studio's runs ---------------------------------------------------------------------------


def trained(session: Session, steps: int = 20, state: State = State.SUCCEEDED) -> Run:
    """A run whose steps took a second each, and three more around them."""
    model, data = made_runs.base(session), made_runs.version(session)
    data.report = {"statistics": {"fields": {"row": {"characters": CHARACTERS}}}}
    run = made_runs.made(session, model, data, state, losses=[0.5] * steps)
    run.host = "workstation"
    if run.started and run.ended:
        run.ended = run.started + timedelta(seconds=steps + 3)
    return run


def test_a_finished_run_says_how_long_its_steps_took_and_what_was_around_them(database: Path) -> None:
    with db.transaction() as session:
        made_runs.host(session)
        trained(session)
        session.flush()
        (found,) = pace.past(session)
    assert (found.device, found.done) == ("CPU", 1.0)
    assert (found.stepping, found.around) == (pytest.approx(20), pytest.approx(3))
    assert found.job.characters == 100


@pytest.mark.parametrize(
    "change",
    [
        {"attempt": 2},
        {"host": "gone"},
        {"dataset": {}},
        {"steps": 1},
        {"state": State.CANCELLED},
    ],
)
def test_runs_whose_time_says_nothing_are_left_out(database: Path, change: dict[str, Any]) -> None:
    with db.transaction() as session:
        made_runs.host(session)
        run = trained(session, change.get("steps", 20), change.get("state", State.SUCCEEDED))
        run.attempt, run.host = change.get("attempt", run.attempt), change.get("host", run.host)
        if "dataset" in change:
            session.get_one(DatasetVersion, run.dataset_version_id).report = {}
        session.flush()
        assert pace.past(session) == []


# ---- what it costs ------------------------------------------------------------------------------------


def test_a_processor_costs_nothing_and_a_gpu_what_was_set(database: Path) -> None:
    with db.transaction() as session:
        known = prices.get(session)
        assert prices.cost(known, (60, 600), 1, is_gpu=True) is None
        free = prices.cost(known, (60, 600), 1, is_gpu=False)
        assert free is not None
        assert free.sentence == "nothing"
        prices.put(session, Prices(currency="EUR", gpu_hour=3.5), "ada")
    with db.reading() as session:
        cost = prices.cost(prices.get(session), (3600, 7200), 2, is_gpu=True)
    assert cost is not None
    assert cost.sentence == "7.00–14.00 EUR"


def test_a_price_left_empty_is_not_known() -> None:
    assert Prices.model_validate({"gpu_hour": "", "currency": " CHF "}) == Prices(
        currency="CHF", gpu_hour=None
    )


@pytest.mark.parametrize(
    ("amount", "said"), [(0.004, "0.004"), (0.42, "0.42"), (7.1, "7.10"), (1234.4, "1,234")]
)
def test_money_has_no_false_precision(amount: float, said: str) -> None:
    assert prices.money(amount) == said
