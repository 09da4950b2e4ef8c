"""The figures a run is judged by: which they are, where they go, and how they are drawn."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy.orm import Session

from app.pages import run_figures
from studio import attempts, db, techniques
from studio.models import Run, State
from tests import made_runs


def read(name: str, **query: Any) -> str:
    answer = made_runs.fragments().get(f"/parts/{name}", params=query)
    assert answer.status_code == 200
    return answer.text


def made(session: Session, technique: str, series: dict[str, list[Any]]) -> Run:
    """A running run of a technique that logged these."""
    run = made_runs.made(session, made_runs.base(session), made_runs.version(session), State.RUNNING)
    run.technique = technique
    longest = max(map(len, series.values()))
    rows = [
        {
            "kind": "metric",
            "step": step + 1,
            "time": 1e9 + step,
            "data": {key: values[step] for key, values in series.items() if step < len(values)},
        }
        for step in range(longest)
    ]
    attempts.absorb(session, run.id, rows, attempt=run.attempt, offset=0)
    return run


def titles(session: Session, run: Run) -> list[str]:
    return [figure.title for figure in run_figures.of(session, run)]


@pytest.mark.parametrize(
    ("technique", "logged", "first"),
    [
        ("sft", {"loss": 2.0, "eval_loss": 1.0}, ["Loss", "Held-out loss"]),
        ("grpo", {"loss": -8.9e-8, "reward": 0.5, "eval_reward": 0.4}, ["Reward", "Reward, held out"]),
        ("dpo", {"loss": 0.6, "rewards/accuracies": 0.7, "rewards/margins": 0.1}, ["Reward accuracy"]),
        ("reward_model", {"loss": 0.6, "accuracy": 0.7}, ["Ranking accuracy"]),
        ("embedding", {"loss": 0.6, "eval_recall_at_1": 0.7}, ["Held-out recall at 1"]),
    ],
)
def test_the_figures_a_technique_is_judged_by_come_first(
    database: Path, technique: str, logged: dict[str, float], first: list[str]
) -> None:
    with db.transaction() as session:
        run = made(session, technique, {key: [value] for key, value in logged.items()})
        assert titles(session, run)[: len(first)] == first


def test_a_run_that_learns_from_a_reward_shows_no_loss(database: Path) -> None:
    with db.transaction() as session:
        run = made(session, "grpo", {"loss": [-8.9e-8], "reward": [0.5], "reward_std": [0.2]})
    assert "8.9" not in read("run-now", id=run.id)
    assert "Spread of the reward" in read("run-now", id=run.id)


def test_every_figure_has_its_trend_in_words_and_a_picture_nobody_must_see(database: Path) -> None:
    with db.transaction() as session:
        run = made(session, "sft", {"loss": [2.0 - 0.01 * n for n in range(100)]})
    text = read("run-now", id=run.id)
    assert "−0.10 over the last tenth, better" in text
    assert "began at 2" in text
    assert 'class="spark"' in text
    assert 'aria-hidden="true"' in text


RISING = [n / 100 for n in range(100)]


@pytest.mark.parametrize(
    ("values", "better", "words"),
    [
        (RISING, "higher", "+0.10 over the last tenth, better"),
        (RISING, "lower", "+0.10 over the last tenth, worse"),
        (RISING, "", "+0.10 over the last tenth"),
        ([1.0, 0.5] * 50, "lower", "level over the last tenth"),
        ([3.0, 2.0], "lower", "−1 since the one before, better"),
        ([2.0, 2.0], "lower", "level since the one before"),
        ([2.0], "lower", ""),
        ([], "lower", ""),
    ],
)
def test_a_trend_is_told_in_words(values: list[float], better: str, words: str) -> None:
    assert run_figures.told(np.array(values), better) == words


def test_a_result_that_was_no_number_is_said_and_not_drawn(database: Path) -> None:
    with db.transaction() as session:
        run = made(session, "sft", {"loss": [2.0, 1.0, "NaN"]})
    text = read("run-now", id=run.id)
    assert "not a number" in text
    assert "nan" not in text.split("points=")[1][:80]


def test_the_table_of_runs_shows_what_each_is_judged_by(database: Path) -> None:
    with db.transaction() as session:
        made(session, "grpo", {"loss": [-8.9e-8], "reward": [0.5]})
    text = read("runs")
    assert 'data-label="Result" data-value="0.5"' in text
    assert "Reward</small>" in text
    assert "8.9" not in text


@pytest.mark.parametrize("technique", techniques.all(), ids=lambda each: each.name)
def test_every_technique_names_what_its_runs_are_judged_by(technique: techniques.Technique) -> None:
    known = {metric.key for metric in technique.metrics}
    assert technique.headline
    for key in technique.headline:
        assert key in known or key.removeprefix("eval_") in known
