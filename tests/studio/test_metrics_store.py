"""Whatever is logged, forgotten and logged again is read back as it was: packed or loose, whole or in few
points, on SQLite and PostgreSQL."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import event

from studio import db, metrics, migration, settings
from studio.metrics import reading, recent, writing
from studio.metrics.blocks import Line
from studio.metrics.recent import Shown, Whole
from studio.models import Metric, MetricBlock, MetricColumn, Run
from tests import services

Row = dict[str, Any]


@pytest.fixture(scope="module")
def server() -> Iterator[services.Postgres]:
    with services.postgres() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def run(
    request: pytest.FixtureRequest, studio_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Run]:
    if request.param == "postgresql":
        running: services.Postgres = request.getfixturevalue("server")
        monkeypatch.setenv("TUNESMITH_DATABASE", running.fresh("metrics"))
        settings.get.cache_clear()
    migration.upgrade()
    with db.transaction() as session:
        run = Run(name="x", technique="sft", attempt=1)
        session.add(run)
    yield run
    db.engine().dispose()


@pytest.fixture
def here(database: Path) -> Run:
    """A run in SQLite alone, where what is tested is no matter of the database."""
    with db.transaction() as session:
        run = Run(name="x", technique="sft", attempt=1)
        session.add(run)
    return run


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks so small that a few rows go through all levels."""
    monkeypatch.setattr(writing, "SIZES", (4, 16, 64))
    monkeypatch.setattr(writing, "GROW", 4)


def logged(step: int, **data: Any) -> Row:
    return {"step": step, "time": 1e9 + step / 3, "data": data}


def append(run: Run, rows: list[Row]) -> None:
    with db.transaction() as session:
        metrics.append(session, run.id, rows)


def rewind(run: Run, step: int) -> None:
    with db.transaction() as session:
        metrics.rewind(session, run.id, step)
        run.attempt += 1
        session.get_one(Run, run.id).attempt = run.attempt


def stored(run: Run) -> list[Row]:
    with db.reading() as session:
        return list(metrics.rows(session, run.id))


def read(run: Run, **asked: Any) -> dict[str, Any]:
    with db.reading() as session:
        return metrics.read(session, [session.get_one(Run, run.id)], **asked)


def line(run: Run, key: str = "loss", **asked: Any) -> dict[str, Any]:
    found = read(run, **asked)["series"][str(run.id)]
    return dict(found.get(key, {"steps": [], "values": [], "reset": None}))


def levels(run: Run) -> list[int]:
    with db.reading() as session:
        return [block.level for block in session.query(MetricBlock).order_by(MetricBlock.first_seq)]


# ---- exactly once -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("seed", range(4))
def test_what_is_read_back_is_what_was_logged_however_often_it_went_back(run: Run, seed: int) -> None:
    """A page that follows by cursor shows it at every moment, and the table holds it at the end."""
    chance = random.Random(seed)
    told: list[Row] = []
    step, cursor, followed = 0, "", {"loss": [], "eval": []}
    for _ in range(60):
        if chance.random() < 0.15:
            step = chance.randrange(step + 1)
            told = [row for row in told if row["step"] <= step]
            rewind(run, step)
        rows = []
        for _ in range(chance.choice([1, 1, 2, 3, 7, 40])):
            step += 1
            value = chance.choice([round(chance.random(), 6), "NaN", "Infinity", "-Infinity", -3.5])
            rows.append(logged(step, loss=value))
            if chance.random() < 0.2:
                rows.append(logged(step, eval=float(step), extra=1.0))
        told += rows
        append(run, rows)
        if chance.random() < 0.7:
            answer = read(run, after=cursor, points=100_000)
            cursor = answer["cursor"]
            news = answer["series"][str(run.id)]
            if any(each["reset"] for each in news.values()):
                followed = {"loss": [], "eval": []}
            for key, seen in followed.items():
                each = news.get(key, {"steps": [], "values": []})
                seen.extend(zip(each["steps"], each["values"], strict=True))
            for key, seen in followed.items():
                wanted = [(row["step"], row["data"][key]) for row in told if key in row["data"]]
                assert seen == [(at, None if isinstance(value, str) else value) for at, value in wanted]
    assert [{"step": row["step"], "time": row["time"], "data": row["data"]} for row in stored(run)] == told
    seqs = [row["seq"] for row in stored(run)]
    assert seqs == sorted(set(seqs))
    assert {0, 1, 2} & set(levels(run))
    assert levels(run) == sorted(levels(run), reverse=True)


@pytest.mark.usefixtures("small")
def test_blocks_of_one_size_become_one_of_the_next(run: Run) -> None:
    for step in range(1, 88):
        append(run, [logged(step, loss=float(step))])
    assert levels(run) == [2, 1, 0]
    with db.reading() as session:
        assert session.query(Metric).count() == 87 - 64 - 16 - 4
        assert session.query(MetricColumn).count() == 3
    assert line(run)["steps"] == list(range(1, 88))


@pytest.mark.usefixtures("small")
def test_a_run_that_went_back_before_all_blocks_has_none(run: Run) -> None:
    append(run, [logged(step, loss=1.0) for step in range(1, 100)])
    rewind(run, 0)
    assert (stored(run), levels(run)) == ([], [])
    with db.reading() as session:
        assert session.query(MetricColumn).count() == 0
    append(run, [logged(1, loss=2.0)])
    assert line(run)["values"] == [2.0]


def test_a_deleted_run_takes_its_blocks_along(run: Run) -> None:
    append(run, [logged(step, loss=1.0) for step in range(600)])
    with db.transaction() as session:
        session.delete(session.get_one(Run, run.id))
    with db.reading() as session:
        assert session.query(MetricBlock).count() + session.query(MetricColumn).count() == 0


# ---- from before --------------------------------------------------------------------------------------


def loose(run: Run, rows: int) -> None:
    """As they were stored before there were blocks."""
    with db.transaction() as session:
        session.add_all(
            Metric(run_id=run.id, seq=n, step=n, time=1e9 + n, data={"loss": float(n)}) for n in range(rows)
        )


def test_rows_of_before_are_read_as_they_are_and_packed_when_asked(run: Run) -> None:
    loose(run, 700)
    before = line(run)
    assert before["steps"] == list(range(700))
    with db.transaction() as session:
        assert metrics.pack_loose(session, run.id)
        assert not metrics.pack_loose(session, run.id)
    assert levels(run) == [0, 0]
    assert line(run) == before


def test_a_run_of_before_that_goes_on_is_packed_on_the_way(
    run: Run, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    loose(run, 200)
    for step in range(200, 210):
        append(run, [logged(step, loss=float(step))])
    assert line(run)["values"] == list(range(210))
    with db.reading() as session:
        assert session.query(Metric).count() < 4


# ---- few points of many -------------------------------------------------------------------------------


def noise(rows: int, spikes: list[int], seed: int = 0) -> list[Row]:
    values = np.random.default_rng(seed).normal(1.0, 0.05, rows)
    values[spikes] = 9.0
    return [logged(n, loss=value) for n, value in enumerate(values.tolist())]


@pytest.mark.parametrize("seed", range(6))
def test_forty_spikes_anywhere_in_a_hundred_thousand_points_are_all_in_the_answer(
    here: Run, seed: int
) -> None:
    """Also those that stand close together, some of them within one group of an outline."""
    spikes = sorted(np.random.default_rng(seed).choice(100_000, 40, replace=False).tolist())
    append(here, noise(100_000, spikes, seed))
    drawn = line(here, points=2000)
    found = [step for step, value in zip(drawn["steps"], drawn["values"], strict=True) if value == 9.0]
    assert found == spikes
    assert len(drawn["steps"]) <= 2000
    assert (drawn["steps"][0], drawn["steps"][-1]) == (0, 99_999)


def test_an_outline_is_as_dense_at_its_end_as_at_its_beginning(here: Run) -> None:
    """The newest rows lie in small blocks or in none; they must not take the points of all others."""
    append(here, noise(65_536 + 5 * 4096, []))
    for at in range(10):
        append(here, [logged(100_000 + 100 * at + n, loss=1.0) for n in range(100)])
    steps = np.array(line(here, points=2000)["steps"])
    halves = [int((steps < 43_000).sum()), int(((steps >= 43_000) & (steps < 86_000)).sum())]
    assert max(halves) < 1.3 * min(halves)


def test_a_part_that_is_looked_at_comes_with_all_its_points(here: Run) -> None:
    append(here, noise(100_000, []))
    part = line(here, points=2000, low=50_000, high=51_500)
    assert part["steps"] == list(range(50_000, 51_501))
    assert line(here, points=2000, low=200_000)["steps"] == []


def test_what_is_logged_now_and_then_keeps_its_points(here: Run) -> None:
    rows = noise(100_000, [])
    for row in rows[::250]:
        row["data"]["eval_loss"] = 1.0
    append(here, rows)
    assert len(line(here, "eval_loss", points=2000)["steps"]) == 400


def test_a_gap_of_no_numbers_stays_a_gap_among_many_points(here: Run) -> None:
    rows = noise(100_000, [])
    for row in rows[60_000:]:
        row["data"]["loss"] = "NaN"
    append(here, rows)
    drawn = line(here, points=2000)
    gap = next(step for step, value in zip(drawn["steps"], drawn["values"], strict=True) if value is None)
    assert gap == 60_000
    assert max(step for step, value in zip(drawn["steps"], drawn["values"], strict=True) if value) == 59_999


def test_only_the_metrics_asked_for_are_read(here: Run) -> None:
    append(here, [logged(n, loss=1.0, reward=2.0) for n in range(700)])
    assert list(read(here, keys=["reward"])["series"][str(here.id)]) == ["reward"]


def test_the_time_of_each_point_comes_when_asked(here: Run) -> None:
    append(here, [logged(n, loss=1.0) for n in range(300)])
    assert line(here, times=True)["times"] == [round(1e9 + n / 3, 3) for n in range(300)]
    assert "times" not in line(here)


def test_many_points_are_read_with_few_questions(here: Run) -> None:
    append(here, [logged(n, loss=float(n % 97)) for n in range(70_000)])
    fetched = 0

    def count(*_: Any) -> None:
        nonlocal fetched
        fetched += 1

    event.listen(db.engine(), "before_cursor_execute", count)
    assert len(line(here, points=200, keys=["loss"])["steps"]) <= 200
    event.remove(db.engine(), "before_cursor_execute", count)
    assert fetched <= 7  # BEGIN, the run, two signs of change, its blocks, their outlines, the loose rows
    assert len(levels(here)) <= 3 + 16


# ---- the ends -----------------------------------------------------------------------------------------


def test_when_a_run_logged_first_and_last_is_known_packed_or_not(here: Run) -> None:
    with db.transaction() as session:
        other, silent = (Run(name=name, technique="sft", attempt=1) for name in ("y", "z"))
        session.add_all([other, silent])
        session.flush()
        metrics.append(session, other.id, [logged(5, loss=1.0), logged(9, loss=1.0)])
    append(here, [logged(n, loss=1.0) for n in range(1, 601)])
    with db.reading() as session:
        found = metrics.ends(session, [here.id, other.id, silent.id])
        assert set(found) == {here.id, other.id}
        assert found[here.id] == ((1, 1e9 + 1 / 3), (600, 1e9 + 200))
        assert found[other.id] == ((5, 1e9 + 5 / 3), (9, 1e9 + 3))


def test_the_value_a_run_began_with_is_known_packed_or_not(here: Run) -> None:
    append(here, [logged(0, reward=1.0), logged(1, loss=4.0), logged(2, loss=3.0)])
    with db.reading() as session:
        assert metrics.first_value(session, here.id, "loss") == 4.0
        assert metrics.first_value(session, here.id, "loss", within=1) is None
    append(here, [logged(n, loss=1.0) for n in range(3, 400)])
    with db.reading() as session:
        assert metrics.first_value(session, here.id, "loss") == 4.0


def test_a_reader_sees_one_state_while_rows_are_packed(run: Run) -> None:
    """Between two questions of a reader a writer may move rows into a block: they are in one of both."""
    append(run, [logged(n, loss=1.0) for n in range(255)])
    with db.reading() as session:
        assert reading.ends(session, [run.id])[run.id].last.step == 254
        append(run, [logged(n, loss=1.0) for n in range(255, 300)])
        assert levels(run) == [0]
        assert len(metrics.lines(session, run.id)["loss"]) == 255
    assert len(line(run)["steps"]) == 300


def test_charts_opened_again_are_read_from_memory_until_the_run_changes(run: Run, small: None) -> None:
    def opened() -> tuple[list[Any], int]:
        """Values of the chart, and how many questions were about numbers."""
        asked: list[str] = []
        listener = lambda *about: asked.append(about[2])  # noqa: E731
        event.listen(db.engine(), "before_cursor_execute", listener)
        with db.reading() as session:
            series = metrics.read(session, [session.get_one(Run, run.id)])["series"][str(run.id)]
        event.remove(db.engine(), "before_cursor_execute", listener)
        return series["loss"]["values"], sum(
            "metric_column" in each or "metric.data" in each for each in asked
        )

    def change(*rows: Row, back_to: int | None = None) -> None:
        with db.transaction() as session:
            if back_to is not None:
                session.get_one(Run, run.id).attempt += 1
                metrics.rewind(session, run.id, back_to)
            metrics.append(session, run.id, list(rows))

    change(*(logged(step, loss=float(step)) for step in range(1, 31)))
    first, numbers = opened()
    assert numbers > 0
    assert opened() == (first, 0)
    change(logged(31, loss=99.0))
    assert opened()[0] == [*first, 99.0]
    change(logged(31, loss=98.0), back_to=30)
    assert opened()[0] == [*first, 98.0]
    with db.transaction() as session:
        metrics.thin_run(session, run.id)
    assert opened()[1] > 0


def test_what_may_yet_be_undone_is_not_kept(here: Run) -> None:
    with db.transaction() as session:
        metrics.append(session, here.id, [logged(1, loss=1.0)])
        metrics.read(session, [session.get_one(Run, here.id)])
        session.rollback()
    with db.transaction() as session:
        metrics.append(session, here.id, [logged(1, loss=2.0)])
    with db.reading() as session:
        series = metrics.read(session, [session.get_one(Run, here.id)])["series"]
    assert series[str(here.id)]["loss"]["values"] == [2.0]


def test_what_was_not_asked_for_longest_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line(np.arange(100), np.zeros(100), np.zeros(100))
    monkeypatch.setattr(recent, "MOST", 5 * 2400)
    for name in range(5):
        recent.keep(f"test {name}", "sign", Whole(0, {"loss": Shown(line, False)}))
    recent.find("test 0", "sign")
    recent.keep("test 2", "another sign", Whole(1, {"loss": Shown(line, False)}))
    recent.keep("test 5", "sign", Whole(0, {"loss": Shown(line, False)}))
    kept = [recent.find(f"test {name}", "sign") is not None for name in range(6)]
    assert kept == [True, False, False, True, True, True]
    assert recent.find("test 2", "another sign") == Whole(1, {"loss": Shown(line, False)})
