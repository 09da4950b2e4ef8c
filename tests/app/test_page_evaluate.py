"""The page of evaluations: set up with ticks, live, plain about what is better."""

from pathlib import Path

from app.pages import evaluate as page
from studio import db, evaluations, runs, sample
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
    assert 'value="http"' not in text


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


def test_answers_are_told_with_intervals_and_a_verdict(database: Path) -> None:
    sample.load()
    with db.transaction() as session:
        plain, told = {"model": sample.STARTER_NAME}, {"model": sample.STARTER_NAME, "name": "told how"}
        told["prompting"] = {"system": "Answer in JSON."}
        run = evaluations.launch(
            session,
            EvaluationConfig(
                contestants=[plain, told],
                dataset="Medication directions: held out",
                graders=["exact_match"],
            ),
        )
        for contestant in (0, 1):
            for number in range(40):
                session.add(
                    EvaluationItem(
                        run_id=run.id,
                        contestant=contestant,
                        number=number,
                        take=0,
                        answer=f"<b>{contestant}</b>",
                        scores={"exact_match": float(contestant)},
                        seconds=0.5,
                        tokens=9,
                    )
                )
        number = run.id
    text = read(f"id={number}")
    assert "told how is better than Tunesmith starter" in text
    assert "over the same 40 questions" in text
    assert "&lt;b&gt;1&lt;/b&gt;" in text
    assert "<b>1</b>" not in text
    assert "No answer scored lower" in read(f"id={number}&show=lost")


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
