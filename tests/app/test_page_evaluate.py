"""The page of evaluations: set up with ticks, live, plain about what is better."""

import re
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient

from app import errors, measured_by
from app.api import evaluations as api
from app.pages import evaluate as page
from studio import db, evaluations, graders, runs, sample
from studio.datasets import library
from studio.evaluations import EvaluationConfig
from studio.graders import Case
from studio.models import EvaluationItem, Model, Project
from tests import made_runs

assert page.PAGE.path == "/evaluate"


def read(query: str = "") -> str:
    answer = made_runs.fragments().get(f"/parts/evaluate?{query}")
    assert answer.status_code == 200, answer.text
    return answer.text


def test_without_models_it_says_where_to_begin(database: Path) -> None:
    text = read()
    assert "No models yet" in text
    assert "/api/sample" in text


def test_held_out_rows_are_offered_first_and_metrics_need_only_a_tick(database: Path) -> None:
    sample.load()
    text = read()
    assert text.index("Medication directions: held out") < text.index("Medication directions: prompts")
    assert 'value="exact_match"' in text
    assert (
        text.index('value="exact_match"') < text.index("Metrics with settings") < text.index('value="http"')
    )


def test_what_a_models_own_run_kept_apart_is_offered(database: Path) -> None:
    project = sample.load()
    with db.transaction() as session:
        config = sample.first_config(session, project)
        config.held_out = "Medication directions: prompts"
        run = runs.launch(session, config)
        session.add(Model(name="tuned", source="runs/1/model", run_id=run.id, base_id=run.model_id))
        kept = run.held_out_id
    assert f'<option value="{kept}" selected>' in read()


def test_a_use_case_brings_its_model_its_questions_and_its_criteria(database: Path) -> None:
    project = sample.load()
    with db.transaction() as session:
        session.add(Model(name="tuned", source="runs/1/model", base_id=1))
        session.get_one(Project, project).model_id = 1
        kept = library.find_version(session, "Medication directions: held out").id
    text = read(f"project={project}")
    assert f'<option value="{kept}" selected>' in text
    assert 'name="contestants" value="1" checked' in text
    assert 'name="contestants" value="2">' in text
    assert 'name="criteria" value="0" checked' in text
    assert "Share of the fields that are right" in text
    assert 'name="graders" value="exact_match">' in text  # no second metric of the same kind is ticked
    assert f'name="project" value="{project}"' in text


def test_every_metric_that_takes_a_tick_works_with_its_defaults() -> None:
    case = Case(answer='{"dose": 2}', reference='{"dose": 2}')
    for grader in page.simple():
        assert len(grader.ready(grader.parameters())([case])) == 1


def answered(scores: list[float], questions: int = 40) -> int:
    """An evaluation in which contestant k scored `scores[k]` on every question; its id."""
    sample.load()
    contestants = [
        {"model": sample.STARTER_NAME, "name": f"way {k}", "prompting": {"system": "Answer." if k else ""}}
        for k in range(len(scores))
    ]
    asked = {"contestants": contestants, "dataset": "Medication directions: held out"}
    config = EvaluationConfig.model_validate(asked | {"graders": ["exact_match", "json_fields"]})
    with db.transaction() as session:
        run = evaluations.launch(session, config)
        for contestant, score in enumerate(scores):
            for number in range(questions):
                item = EvaluationItem(run_id=run.id, contestant=contestant, number=number, take=0)
                item.answer, item.seconds, item.tokens = f"<b>{contestant}</b>", 0.5, 9
                item.scores = {"exact_match": score, "json_fields": 1 - score}
                session.add(item)
        return run.id


def test_a_metric_that_needs_settings_brings_its_inputs(database: Path) -> None:
    sample.load()
    text = read()
    for each in measured_by.offered():
        assert f'value="{each.grader.name}"' in text
        for field in each.fields:
            assert f'name="{field.path}"' in text


def test_every_metric_is_offered_once(database: Path) -> None:
    offered = [each.grader.name for each in measured_by.offered()] + [each.name for each in page.simple()]
    assert sorted(offered) == sorted(grader.name for grader in graders.all())


def filled_in(**fields: Any) -> Any:
    """What the form's button sends."""
    app = FastAPI()
    errors.install(app)
    app.include_router(api.router)
    body = {"contestants": "1", "dataset": "Medication directions: held out", "items": 5} | fields
    return TestClient(app).post("/api/evaluations/filled-in", json=body)


def test_what_is_typed_at_a_ticked_metric_is_its_settings(database: Path) -> None:
    sample.load()
    schema = '{"type": "object", "required": ["dose"]}'
    typed = {"settings:json_schema:json_schema": schema, "settings:json_schema:column": "schema"}
    typed |= {"settings:contains:phrases": "tablet\ncapsule", "settings:contains:whole_words": True}
    unticked = {"settings:regex:pattern": "("}
    answer = filled_in(graders=["exact_match", "json_schema", "contains"], **typed, **unticked)
    assert answer.status_code == 201, answer.text
    with db.reading() as session:
        chosen = {each["name"]: each["parameters"] for each in runs.get(session, answer.json()["id"]).graders}
    assert list(chosen) == ["exact_match", "json_schema", "contains"]
    assert chosen["json_schema"]["json_schema"] == schema
    assert chosen["contains"]["phrases"] == ["tablet", "capsule"]
    assert chosen["contains"]["whole_words"] is True


def test_a_metric_whose_settings_are_wrong_is_refused_in_words(database: Path) -> None:
    sample.load()
    answer = filled_in(graders="judge")
    assert (answer.status_code, answer.json()["error"]) == (422, "AI judge has no judge.")
    answer = filled_in(graders="regex", **{"settings:regex:pattern": "("})
    assert answer.status_code == 422
    assert filled_in(graders="nonsense").status_code == 404


def test_answers_are_told_with_intervals_and_a_verdict(database: Path) -> None:
    number = answered([0.0, 1.0])
    text = read(f"id={number}")
    assert "way 1 is better than way 0" in text
    assert "over the same 40 questions" in text
    assert "&lt;b&gt;1&lt;/b&gt;" in text
    assert "<b>1</b>" not in text
    assert "9 tokens · 500 ms" in text
    assert "No answer scored lower" in read(f"id={number}&show=lost")


def test_an_evaluation_of_a_use_case_leads_to_its_failures(database: Path) -> None:
    number = answered([0.0, 1.0])
    assert "tab=failures" not in read(f"id={number}")
    with db.transaction() as session:
        runs.get(session, number).project_id = 1
    assert f'href="/prompts?project=1&amp;tab=failures&amp;run={number}"' in read(f"id={number}")


def test_tries_have_their_intervals_and_slices_say_what_is_shown(database: Path) -> None:
    number = answered([0.0, 1.0])
    assert "pass@8" not in read(f"id={number}")
    with db.transaction() as session:
        run = runs.get(session, number)
        run.parameters = run.parameters | {"samples": 8}
        for question in range(40):
            for take in range(1, 9):
                item = EvaluationItem(run_id=number, contestant=1, number=question, take=take)
                item.answer, item.seconds, item.tokens = "", 0.5, 9
                item.scores = {"exact_match": float(question < 30 and take == 1)}
                session.add(item)
    text = read(f"id={number}")
    assert re.search(r'data-label="pass@8"><b>75 %</b><small class="hint nowrap">59.8 % to 85.8 %', text)
    assert re.search(r'data-label="pass@1"><b>9\.\d+ %</b>', text)
    slices = text.partition('data-key="slice-')[2]
    assert re.search(r'data-label="way 1"><b>100 %</b>.{,99}<span class="chip good', slices)
    assert not re.search(r'data-label="way 0"><b>0 %</b>.{,99}<span class="chip', slices)
    assert "excludes zero" in slices


def test_any_two_contestants_stand_side_by_side(database: Path) -> None:
    number = answered([0.0, 1.0, 0.5])
    text = read(f"id={number}&from=1&against=2&show=lost")
    assert "way 2 is worse than way 1" in text
    assert "Differences from way 1" in text
    assert "way 2 beside way 1, by exact_match" in text
    assert "1 to 10 of 40" in text
    assert f"id={number}&amp;from=1&amp;against=2&amp;metric=exact_match&amp;show=lost&amp;start=10" in text
    assert "31 to 40 of 40" in read(f"id={number}&from=1&against=2&show=all&start=30")


def test_answers_are_told_by_any_of_the_metrics(database: Path) -> None:
    number = answered([0.0, 1.0])
    assert "by json_fields" in read(f"id={number}&metric=json_fields&show=lost")
    assert "by exact_match" in read(f"id={number}&metric=nonsense&from=7&against=7&show=x")


def test_the_first_answers_are_shown_while_the_others_still_come(database: Path) -> None:
    sample.load()
    with db.transaction() as session:
        plain = {"model": sample.STARTER_NAME}
        run = evaluations.launch(
            session,
            EvaluationConfig(
                contestants=[plain, plain | {"name": "again"}],
                dataset="Medication directions: held out",
                graders=["exact_match"],
            ),
        )
        number = run.id
        session.add(
            EvaluationItem(
                run_id=number, contestant=0, number=0, take=0, answer="", scores={}, seconds=1, tokens=0
            )
        )
    text = read(f"id={number}")
    assert "Figures" in text
    assert "(empty)" not in text


def test_a_run_of_another_kind_is_refused_in_words(database: Path) -> None:
    answer = made_runs.fragments().get("/parts/evaluate?id=99")
    assert "There is no run 99" in answer.text


def test_a_criterion_that_waits_for_its_judge_is_not_offered(database: Path) -> None:
    text = read(f"project={sample.load('engineering_questions')}")
    assert 'name="criteria" value="1"' in text
    assert 'name="criteria" value="2"' not in text
