"""Settings of runs against their metrics: which axes there are, and which value stands for a run."""

from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from studio import db
from studio.comparison import relations
from studio.errors import StudioError
from studio.models import Run, State
from tests import made_runs


def made(session: Session, *runs: dict[str, object], losses: list[list[float]] | None = None) -> list[Run]:
    model, data = made_runs.base(session), made_runs.version(session)
    return [
        made_runs.made(
            session, model, data, State.SUCCEEDED, losses=losses[place] if losses else [1.0], **more
        )
        for place, more in enumerate(runs)
    ]


def test_every_setting_that_differs_has_an_axis(database: Path) -> None:
    with db.transaction() as session:
        runs = made(
            session,
            {"parameters": {"learning_rate": 1e-5}},
            {"parameters": {"learning_rate": 1e-3}, "adapter": "full"},
        )
        axes = {axis.key: axis for axis in relations.settings(runs)}
    assert (axes["learning_rate"].title, axes["learning_rate"].scale.kind) == ("Learning rate", "log")
    assert axes["learning_rate"].places == [0.0, 1.0]
    assert axes["adapter"].scale.words == ("lora", "full")
    assert axes["lora.r"].values[1] is None
    assert axes["lora.r"].places[1] is None
    assert "weight_decay" not in axes


def test_runs_set_the_same_have_no_axis(database: Path) -> None:
    with db.transaction() as session:
        assert relations.settings(made(session, {}, {})) == []


def test_a_run_is_stood_for_by_its_newest_best_or_last_values(database: Path) -> None:
    falling = [1.0 / step for step in range(1, 20)] + [3.0]
    with db.transaction() as session:
        runs = made(session, {}, {}, losses=[falling, [0.5, 0.4]])
        figures = {how: relations.figures(session, runs, "loss", how) for how in relations.HOW}
    assert figures["newest"] == [3.0, 0.4]
    assert figures["best"] == [pytest.approx(1 / 19), 0.4]
    assert figures["last"] == [pytest.approx((1 / 18 + 1 / 19 + 3.0) / 3), 0.4]


def test_a_run_without_the_metric_or_with_no_number_has_no_place(database: Path) -> None:
    with db.transaction() as session:
        runs = made(session, {}, {}, {}, losses=[[1.0], [], [2.0]])
        runs[2].latest = {"loss": "NaN"}
        axis = relations.metric(session, runs, "loss")
    assert axis.values == [1.0, None, None]
    assert axis.as_json()["said"] == ["1", "–", "–"]


def test_an_unknown_way_to_sum_up_is_refused(database: Path) -> None:
    with db.transaction() as session, pytest.raises(StudioError, match="no way to sum up"):
        relations.figures(session, made(session, {}), "loss", "median")


def test_runs_apart_only_by_their_seed_are_together(database: Path) -> None:
    with db.transaction() as session:
        runs = made(session, {"seed": 1}, {"parameters": {"learning_rate": 1e-3}}, {"seed": 2})
        assert relations.apart_by_seed(runs) == [[0, 2], [1]]


def test_the_usual_metric_is_one_that_most_runs_have(database: Path) -> None:
    with db.transaction() as session:
        runs = made(session, {}, {})
        assert relations.usual(runs) == "loss"
        runs[1].latest = runs[1].latest | {"eval_loss": 0.5}
        assert relations.usual(runs) == "eval_loss"
        for run in runs:
            run.latest = {"grad_norm": 1.0}
        assert relations.usual(runs) == "grad_norm"
