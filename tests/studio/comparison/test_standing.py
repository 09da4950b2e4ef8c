"""Which run is best: over seeds, with intervals, and what a gain has used."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy.orm import Session

from studio import comparison, db, metrics, prices, runs
from studio.comparison import SAME, spent
from studio.evaluations import intervals
from studio.models import Event, Run, State
from studio.prices import Prices
from tests import made_runs


def made(session: Session, values: Sequence[tuple[float, int, float]], first: float = 2.0) -> list[Run]:
    """A run for each (learning rate, seed, newest held-out loss)."""
    model, data = made_runs.base(session), made_runs.version(session)
    held = made_runs.version(session, "held")
    found = []
    for rate, seed, value in values:
        settings = {"learning_rate": rate}
        run = made_runs.made(
            session, model, data, State.SUCCEEDED, held_out=held.id, seed=seed, parameters=settings
        )
        metrics.append(session, run.id, [{"step": 0, "time": 1e9, "data": {"eval_loss": first}}])
        run.latest = {"eval_loss": value}
        found.append(run)
    return found


def test_a_few_measurements_have_students_interval() -> None:
    """Of 5.1, 4.9, 5.6: mean 5.2, standard error 0.2082, t(2) = 4.3027."""
    found = intervals.of_mean([5.1, 4.9, 5.6])
    assert found is not None
    assert (found.low, found.high) == pytest.approx(
        (5.2 - 4.3027 * 0.208167, 5.2 + 4.3027 * 0.208167), abs=1e-3
    )
    assert intervals.of_mean([5.1]) is None


def test_two_means_are_apart_where_welchs_interval_leaves_out_zero() -> None:
    near, far = intervals.apart([1.0, 1.2, 1.1], [1.15, 1.3, 1.0]), intervals.apart([1.0, 1.1], [9.0, 9.1])
    assert near is not None
    assert far is not None
    assert not near.excludes_zero
    assert far.excludes_zero
    assert intervals.apart([1.0], [9.0, 9.1]) is None


def test_intervals_over_few_seeds_hold_the_truth_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(3)
    for count in (2, 3, 5):
        found = [intervals.of_mean(rng.normal(1, 2, count).tolist()) for _ in range(2000)]
        held = sum(each is not None and each.low <= 1 <= each.high for each in found) / 2000
        assert 0.93 < held < 0.97, count


def test_runs_that_differ_only_in_their_seed_are_one_row(database: Path) -> None:
    with db.transaction() as session:
        values = [(1e-3, 1, 0.9), (1e-4, 1, 0.5), (1e-4, 2, 0.52), (1e-3, 2, 0.91)]
        every = made(session, values)
        rows = comparison.standing(session, every, "eval_loss")
        assert [[run.id for run in row.runs] for row in rows] == [
            [every[1].id, every[2].id],
            [every[0].id, every[3].id],
        ]
        assert [row.is_best for row in rows] == [True, False]
        assert rows[0].mean == pytest.approx(0.51)
        assert rows[0].interval is not None
        assert rows[0].is_apart is rows[1].is_apart is True
        assert rows[0].gain.value == pytest.approx(2.0 - 0.51)


def test_with_one_seed_nobody_can_tell_rows_apart(database: Path) -> None:
    with db.transaction() as session:
        rows = comparison.standing(session, made(session, [(1e-3, 1, 0.9), (1e-4, 1, 0.5)]), "eval_loss")
        assert [(row.interval, row.is_apart) for row in rows] == [(None, None), (None, None)]


def test_a_gain_can_be_reckoned_from_another_run(database: Path) -> None:
    with db.transaction() as session:
        every = made(session, [(1e-3, 1, 0.9), (1e-4, 1, 0.5)])
        rows = comparison.standing(session, every, "eval_loss", every[0])
        assert [row.gain.value for row in rows] == pytest.approx([0.4, 0.0])
        assert rows[1].gain.why == "it became no better"


def test_runs_measured_on_different_data_or_on_none_are_not_ranked(database: Path) -> None:
    with db.transaction() as session:
        every = made(session, [(1e-3, 1, 0.9), (1e-4, 1, 0.5)])
        assert comparison.why_not(every, "eval_loss") == ""
        every[0].held_out_id = every[0].dataset_version_id
        assert "different held-out data" in comparison.why_not(every, "eval_loss")
        assert comparison.standing(session, every, "eval_loss") == []
        every[0].held_out_id = None
        assert "not known which rows" in comparison.why_not(every, "eval_loss")


def test_rewards_of_different_graders_and_losses_of_different_techniques_are_not_ranked(
    database: Path,
) -> None:
    with db.transaction() as session:
        every = made(session, [(1e-3, 1, 0.9), (1e-4, 1, 0.5)])
        for run in every:
            run.latest = {"eval_reward": 0.5, "eval_loss": 1.0}
            run.technique = "grpo"
        assert comparison.why_not(every, "eval_reward") == ""
        every[0].graders = [{"grader": "exact_match", "name": "exact_match", "weight": 1, "parameters": {}}]
        assert "graders" in comparison.why_not(every, "eval_reward")
        every[0].technique = "dpo"
        assert "several techniques" in comparison.why_not(every, "eval_loss")


def test_a_metric_says_which_end_is_better(database: Path) -> None:
    with db.transaction() as session:
        every = made(session, [(1e-3, 1, 0.9)])
        every[0].latest = {"eval_loss": 0.9, "eval_mean_token_accuracy": 0.7, "eval_entropy": 1.0}
        judged = comparison.judged_by(every)
        assert judged == {"eval_loss": "lower", "eval_mean_token_accuracy": "higher"}
        assert next(iter(judged)) == "eval_loss"
        assert metrics.is_share(every, "eval_mean_token_accuracy")
        assert not metrics.is_share(every, "eval_loss")


def test_only_the_time_in_which_a_device_worked_is_counted(database: Path) -> None:
    """An hour of work, a day in the queue, two more hours: three hours of two devices."""
    with db.transaction() as session:
        (run,) = made(session, [(1e-3, 1, 0.9)])
        told = session.query(Event).filter_by(subject=f"run:{run.id}").order_by(Event.id).all()
        told = [event for event in told if event.what in spent.ENTERED | spent.LEFT]
        start = told[0].time
        for event in told:
            session.delete(event)
        gpus = {"devices": ["cuda:0", "cuda:1"]}
        for what, hours, details in (
            ("run claimed", 0, gpus),
            ("run running", 0, {}),
            ("run queued", 1, {}),
            ("run claimed", 25, gpus),
            ("run running", 25, {}),
            ("run succeeded", 27, {}),
        ):
            time = start + timedelta(hours=hours)
            subject = f"run:{run.id}"
            blank = {"who": "", "previous": b"", "digest": b""}
            session.add(Event(time=time, what=what, subject=subject, details=details, **blank))
        prices.put(session, Prices(gpu_hour=2.0))
        session.flush()
        found = spent.of(session, [run])[run.id]
        assert found.seconds == 6 * 3600
        assert found.cost is not None
        assert found.cost.high == pytest.approx(12)


def test_of_a_run_from_elsewhere_nothing_is_known_to_have_been_spent(database: Path) -> None:
    with db.transaction() as session:
        run = runs.imported(session, "laptop", source="a file")
        assert spent.of(session, [run])[run.id] == spent.Spent(None, None)
        assert len(comparison.groups([run, runs.imported(session, "other", source="a file")], SAME)) == 2


def test_runs_are_put_together_by_a_setting_or_a_tag(database: Path) -> None:
    with db.transaction() as session:
        every = made(session, [(1e-3, 1, 0.9), (1e-4, 1, 0.5), (1e-3, 2, 0.8)])
        every[0].tags, every[2].tags = ["b", "a"], ["a", "b"]
        by_rate = comparison.groups(every, "learning_rate")
        assert [(group.title, group.value, len(group.runs)) for group in by_rate] == [
            ("learning rate 0.001", 0.001, 2),
            ("learning rate 0.0001", 0.0001, 1),
        ]
        assert [group.title for group in comparison.groups(every, "tag")] == ["tag a, b", "no tag"]
        assert [len(group.runs) for group in comparison.groups(every, SAME)] == [2, 1]
