"""Metrics are stored once, read back by cursor, thinned without losing a spike."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio import db, metrics
from studio.models import Run


@pytest.fixture
def run(database: Path) -> Run:
    with db.transaction() as session:
        run = Run(name="x", technique="sft", attempt=1)
        session.add(run)
    return run


def log(run: Run, first: int, last: int, **more: Any) -> None:
    with db.transaction() as session:
        rows = [{"step": s, "time": 0.0, "data": {"loss": float(s), **more}} for s in range(first, last + 1)]
        metrics.append(session, run.id, rows)


def read(run: Run, after: str = "", points: int = 2000) -> dict[str, Any]:
    with db.reading() as session:
        return metrics.read(session, [session.get_one(Run, run.id)], after=after, points=points)


def test_a_cursor_brings_only_what_is_new(run: Run) -> None:
    log(run, 1, 3)
    first = read(run)
    assert first["series"][str(run.id)]["loss"] == {"steps": [1, 2, 3], "values": [1, 2, 3], "reset": True}
    log(run, 4, 5)
    second = read(run, first["cursor"])
    assert second["series"][str(run.id)]["loss"] == {"steps": [4, 5], "values": [4, 5], "reset": False}
    assert read(run, second["cursor"])["series"][str(run.id)] == {}


def test_what_charts_mean_is_said_once_and_again_when_asked(run: Run) -> None:
    log(run, 1, 1)
    first = read(run)
    log(run, 2, 2, grad_norm=1.0)
    assert [chart["key"] for chart in first["charts"]] == ["loss"]
    assert read(run, first["cursor"])["charts"] == []
    log(run, 3, 300)
    with db.reading() as session:
        found = metrics.described(session, [session.get_one(Run, run.id)])
    assert [chart["key"] for chart in found] == ["loss", "grad_norm"]


def test_values_are_said_in_seven_digits_and_kept_in_all(run: Run) -> None:
    exact = [0.123456789012, -123456.789012, 1.23456789012e-9, 1.23456789012e12, 123456789.0, 0.0]
    with db.transaction() as session:
        rows = [{"step": i, "time": 0.0, "data": {"loss": value}} for i, value in enumerate(exact)]
        metrics.append(session, run.id, rows)
    said = read(run)["series"][str(run.id)]["loss"]["values"]
    assert said == [0.1234568, -123456.8, 1.234568e-9, exact[3], 123456789.0, 0.0]
    with db.reading() as session:
        assert metrics.lines(session, run.id)["loss"].values.tolist() == exact


def test_a_series_with_more_points_than_came_says_so(run: Run) -> None:
    log(run, 1, 5000)
    assert read(run, points=100)["series"][str(run.id)]["loss"]["thinned"]
    assert "thinned" not in read(run, points=5000)["series"][str(run.id)]["loss"]
    with db.reading() as session:
        runs = [session.get_one(Run, run.id)]
        part = metrics.read(session, runs, points=100, low=4000, high=4050)["series"][str(run.id)]["loss"]
    assert part == {"steps": part["steps"], "values": part["steps"], "reset": True}
    assert part["steps"] == list(range(4000, 4051))


def test_after_a_rewind_the_whole_series_comes_anew(run: Run) -> None:
    log(run, 1, 5)
    cursor = read(run)["cursor"]
    with db.transaction() as session:
        metrics.rewind(session, run.id, 3)
        session.get_one(Run, run.id).attempt = 2
    log(run, 4, 4)
    series = read(run, cursor)["series"][str(run.id)]["loss"]
    assert series == {"steps": [1, 2, 3, 4], "values": [1, 2, 3, 4], "reset": True}


def test_a_value_that_is_no_number_is_a_gap(run: Run) -> None:
    log(run, 1, 1, grad_norm="NaN")
    assert read(run)["series"][str(run.id)]["grad_norm"]["values"] == [None]


def test_charts_come_in_the_techniques_order_with_their_words(run: Run) -> None:
    log(run, 1, 1, zebra=1.0, learning_rate=0.1)
    charts = read(run)["charts"]
    assert [chart["key"] for chart in charts] == ["loss", "learning_rate", "zebra"]
    assert charts[0]["help"]
    assert charts[2]["group"] == "Other"


def test_a_chart_says_what_is_healthy_in_numbers_and_in_words(run: Run) -> None:
    log(run, 1, 1, eval_mean_token_accuracy=0.2)
    loss, accuracy = read(run)["charts"]
    assert loss["healthy"] is None
    healthy = accuracy["healthy"]
    assert (healthy["low"], healthy["high"], healthy["words"]) == (0.3, None, "above 0.3")
    assert "2212.11281" in healthy["source"]


def test_beside_one_another_runs_share_only_a_range_their_techniques_agree_on(database: Path) -> None:
    grpo, dapo, gspo = (Run(name=name, technique=name, attempt=1) for name in ("grpo", "dapo", "gspo"))

    def clipping(*runs: Run) -> Any:
        (chart,) = metrics.describe(runs, ["clip_ratio/region_mean"])
        return chart["healthy"] and chart["healthy"]["words"]

    assert (clipping(grpo), clipping(gspo), clipping(grpo, dapo)) == ("below 0.2", "below 0.5", "below 0.2")
    assert clipping(grpo, gspo) is None


def test_forty_spikes_in_a_hundred_thousand_points_stay_visible() -> None:
    values: list[float | None] = [0.0] * 100_000
    spikes = list(range(1000, 100_000, 2475))[:40]
    for place in spikes:
        values[place] = 9.0
    _, kept = metrics.thin(list(range(100_000)), values, 2000)
    assert kept.count(9.0) == 40
    assert len(kept) <= 2002


@given(
    st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=1, max_size=300),
    st.integers(10, 50),
)
def test_thinning_keeps_order_extremes_and_both_ends(values: list[float | None], points: int) -> None:
    steps = [float(n) for n in range(len(values))]
    kept_steps, kept = metrics.thin(steps, values, points)
    assert kept_steps == sorted(set(kept_steps))
    assert kept_steps[0] == 0
    assert kept_steps[-1] == steps[-1]
    assert len(kept) <= max(points + 2, 0) or len(values) <= points
    numbers = [value for value in values if value is not None]
    if numbers:
        assert min(numbers) in kept
        assert max(numbers) in kept
