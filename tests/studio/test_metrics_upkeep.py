"""Every point is kept unless somebody says otherwise; then the extremes stay, and the run says so."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from studio import db, events, metrics, settings
from studio.metrics import upkeep
from studio.metrics.upkeep import Rounds
from studio.models import Metric, MetricBlock, Run, State, now


@pytest.fixture
def kept_for_a_week(database: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TUNESMITH_KEEP_POINTS_DAYS", "7")
    settings.get.cache_clear()
    yield
    settings.get.cache_clear()


def ended(days: float, rows: int = 10_000, state: State = State.SUCCEEDED) -> int:
    with db.transaction() as session:
        run = Run(name="x", technique="sft", attempt=1, state=state, ended=now() - timedelta(days=days))
        session.add(run)
        session.flush()
        values = [5.0 if n == 1234 else (n % 7) / 100 for n in range(rows)]
        data = [{"step": n, "time": 1e9 + n, "data": {"loss": value}} for n, value in enumerate(values)]
        metrics.append(session, run.id, data)
        return run.id


def line(run_id: int, **asked: Any) -> dict[str, Any]:
    with db.reading() as session:
        answer = metrics.read(session, [session.get_one(Run, run_id)], **asked)
        return dict(answer["series"][str(run_id)]["loss"])


def rounds() -> None:
    """As often as a worker would look until it rests."""
    mine = Rounds()
    for _ in range(50):
        mine.look(clock=lambda: 1.0)
        if mine.rests_until:
            return
    raise AssertionError("it never rests")


def is_thinned(run_id: int) -> bool:
    with db.reading() as session:
        return metrics.is_thinned(session, run_id)


def test_without_the_setting_nothing_is_thinned(database: Path) -> None:
    run = ended(1000)
    rounds()
    assert not is_thinned(run)
    assert len(line(run, points=20_000)["steps"]) == 10_000


@pytest.mark.usefixtures("kept_for_a_week")
def test_a_run_that_ended_before_keeps_its_extremes_and_says_so() -> None:
    run, recent, going = ended(8), ended(6), ended(30, state=State.RUNNING)
    before = line(run, points=20_000)
    rounds()
    assert [is_thinned(each) for each in (run, recent, going)] == [True, False, False]
    after = line(run, points=20_000)
    assert 5.0 in after["values"]
    assert (after["steps"][0], after["steps"][-1]) == (0, 9999)
    assert len(after["steps"]) < 3000  # the newest 1,808 are in small blocks, which are left alone
    kept = dict(zip(before["steps"], before["values"], strict=True))
    assert all(kept[step] == value for step, value in zip(after["steps"], after["values"], strict=True))
    with db.reading() as session:
        (told,) = events.of(session, f"run:{run}")
        assert told.what == "run thinned"
        assert "8,192 logged moments" in told.details["why"]


@pytest.mark.usefixtures("kept_for_a_week")
def test_a_thinned_run_is_thinned_once_and_can_go_on_from_a_checkpoint() -> None:
    run = ended(8, state=State.FAILED)
    rounds()
    rounds()
    with db.transaction() as session:
        assert len(events.of(session, f"run:{run}")) == 1
        metrics.rewind(session, run, 2000)
        rows = [{"step": n, "time": 2e9 + n, "data": {"loss": 1.0}} for n in range(2001, 2301)]
        metrics.append(session, run, rows)
    after = line(run, points=20_000)
    assert after["steps"] == sorted(after["steps"])
    assert after["steps"][-300:] == list(range(2001, 2301))
    assert max(after["steps"][:-300]) <= 2000
    assert 5.0 in after["values"]
    with db.reading() as session:
        assert [row["step"] for row in metrics.rows(session, run)] == after["steps"]


def test_rows_of_before_are_packed_on_the_rounds_and_those_of_a_run_in_progress_left_alone(
    database: Path,
) -> None:
    made = [ended(1, rows=1, state=state) for state in (State.SUCCEEDED, State.RUNNING)]
    with db.transaction() as session:
        session.add_all(
            Metric(run_id=run, seq=n, step=n, time=1e9 + n, data={"loss": float(n)})
            for run in made
            for n in range(1, 5000)
        )
    rounds()
    with db.reading() as session:
        packed = session.query(MetricBlock.run_id, MetricBlock.rows).order_by(MetricBlock.first_seq).all()
        assert [tuple(each) for each in packed] == [(made[0], 4096), *[(made[0], 256)] * 3]
    assert len(line(made[0], points=20_000)["steps"]) == 5000


def test_only_runs_that_ended_long_enough_ago_are_old(database: Path) -> None:
    with db.reading() as session:
        assert upkeep.old(session, 1) == []
    old, _ = ended(3), ended(0.5)
    with db.reading() as session:
        assert upkeep.old(session, 1) == [old]
