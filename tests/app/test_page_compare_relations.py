"""Settings against metrics on /compare: what is handed to the drawing, and what the address chooses."""

import html
import json
import re
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from studio import db
from studio.models import Run, State
from tests import made_runs


def read(query: str) -> str:
    answer = made_runs.fragments().get(f"/parts/compare-relations?{query}")
    assert answer.status_code == 200, answer.text
    return answer.text


def drawn(text: str, what: str) -> dict[str, Any]:
    found = re.search(f'data-{what}="([^"]*)"', text)
    assert found
    return json.loads(html.unescape(found[1]))


def three(session: Session) -> str:
    model, data = made_runs.base(session), made_runs.version(session)
    settings = [(1e-5, 1), (1e-3, 1), (1e-3, 2)]
    runs = [
        made_runs.made(
            session,
            model,
            data,
            State.SUCCEEDED,
            losses=[2.0, loss],
            name=f"<run {rate} {seed}>",
            seed=seed,
            parameters={"learning_rate": rate},
        )
        for (rate, seed), loss in zip(settings, (0.9, 0.5, 0.4), strict=True)
    ]
    for run, accuracy in zip(runs, (0.5, 0.7, 0.8), strict=True):
        run.latest = run.latest | {"mean_token_accuracy": accuracy}
    return f"runs={','.join(str(run.id) for run in runs)}"


def test_one_run_has_nothing_to_be_held_against(database: Path) -> None:
    with db.transaction() as session:
        three(session)
    assert read("runs=1") == ""


def test_each_setting_that_differs_is_an_axis_and_the_metric_the_last(database: Path) -> None:
    with db.transaction() as session:
        query = three(session)
    text = read(query)
    data = drawn(text, "relations")
    assert [axis["key"] for axis in data["axes"]] == ["learning_rate", "seed", "loss"]
    assert data["axes"][0]["places"] == [0.0, 1.0, 1.0]
    assert data["axes"][2]["values"] == [0.9, 0.5, 0.4]
    assert data["better"] == "lower"
    assert data["runs"][0] == {"id": 1, "name": "<run 1e-05 1>", "place": 0}
    assert "<run 1e-05 1>" not in text
    assert "&lt;run 1e-05 1&gt;" in text


def test_the_address_chooses_the_metric_and_the_axes_of_the_scatter(database: Path) -> None:
    with db.transaction() as session:
        query = three(session)
    text = read(f"{query}&figure=mean_token_accuracy&x=setting:seed&y=loss&scale_y=log")
    assert drawn(text, "relations")["axes"][-1]["key"] == "mean_token_accuracy"
    points = drawn(text, "scatter")
    assert (points["x"]["values"], points["y"]["values"]) == ([1, 1, 2], [0.9, 0.5, 0.4])
    assert points["y"]["kind"] == "log"
    assert points["together"] == [[0], [1, 2]]
    assert '<option value="log" selected>' in text


def test_a_metric_can_be_held_against_another(database: Path) -> None:
    with db.transaction() as session:
        query = three(session)
    points = drawn(read(f"{query}&x=mean_token_accuracy"), "scatter")
    assert points["x"]["values"] == [0.5, 0.7, 0.8]


def test_what_the_address_cannot_mean_is_passed_over(database: Path) -> None:
    with db.transaction() as session:
        query = three(session)
    text = read(f"{query}&figure=nonsense&how=nonsense&x=setting:nonsense&y=nonsense&scale_x=nonsense")
    assert drawn(text, "relations")["axes"][-1]["key"] == "loss"
    assert drawn(text, "scatter")["x"]["key"] == "learning_rate"


def test_a_run_without_the_figure_is_counted_as_left_out(database: Path) -> None:
    with db.transaction() as session:
        query = three(session)
        session.get_one(Run, 2).latest = {}
    assert "1 run has no value for one of the axes" in read(query)


def test_the_numbers_stand_in_a_table(database: Path) -> None:
    with db.transaction() as session:
        query = three(session)
    table = read(query).split('id="relations-numbers"')[1]
    assert re.findall(r"<th[^>]*>([^<]*)</th>", table)[:4] == ["Run", "Learning rate", "Seed", "Loss"]
    assert ">1e-5</td>" in table


def test_runs_that_logged_nothing_are_waited_for(database: Path) -> None:
    with db.transaction() as session:
        model, data = made_runs.base(session), made_runs.version(session)
        ids = [made_runs.made(session, model, data).id for _ in range(2)]
    assert "No figures yet" in read(f"runs={ids[0]},{ids[1]}")


def test_runs_set_the_same_can_still_have_metrics_held_against_each_other(database: Path) -> None:
    with db.transaction() as session:
        model, data = made_runs.base(session), made_runs.version(session)
        ids = [made_runs.made(session, model, data, State.SUCCEEDED, losses=[1.0]).id for _ in range(2)]
    text = read(f"runs={ids[0]},{ids[1]}")
    assert "They were set the same" in text
    assert "data-relations" not in text
    assert drawn(text, "scatter")["x"]["key"] == "loss"
