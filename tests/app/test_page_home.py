"""The first page: the empty studio, the ladder, what runs, and the one next step."""

from pathlib import Path

from app.pages import home
from studio import climbs, db
from studio.models import Answer, Model, Project, State
from tests import climbing, made_runs


def page() -> str:
    answer = made_runs.fragments().get("/parts/home")
    assert answer.status_code == 200
    return answer.text


def test_an_empty_studio_offers_the_sample_and_ones_own_data(database: Path) -> None:
    text = page()
    assert 'data-post="/api/sample"' in text
    assert 'data-then="/run?id={id}"' in text
    assert 'href="/datasets"' in text
    assert '<a class="button" href="/guide">Answer the guide</a>' in text
    assert text.count('data-post="/api/templates/') == 3
    assert "Not sure which technique fits?" in text
    assert text.count("primary") == 1


def test_the_ladder_shows_the_phases_of_the_guide_and_whose_accuracies_they_are(database: Path) -> None:
    text = page()
    for phase in ("1. Prompt engineering", "2. SFT", "3. DPO", "4. GRPO and DAPO"):
        assert phase in text
    assert "AWS reports 80-85% accuracy" in text


def test_data_without_a_run_leads_to_the_guide(database: Path) -> None:
    with db.transaction() as session:
        made_runs.version(session)
    assert "Answer the guide" in page()


def test_a_run_that_waits_for_a_worker_makes_starting_one_the_next_step(database: Path) -> None:
    with db.transaction() as session:
        made_runs.made(session, made_runs.base(session), made_runs.version(session))
    text = page()
    assert "Start a worker" in text
    assert "tunesmith worker" in text


def test_a_running_run_is_watched_and_shown_with_its_loss(database: Path) -> None:
    with db.transaction() as session:
        made_runs.host(session)
        model, data = made_runs.base(session), made_runs.version(session)
        made_runs.made(session, model, data, State.RUNNING, losses=[2.0, 1.23456], total=10, name="first")
    answer = made_runs.fragments().get("/parts/home")
    assert "Watch “first”" in answer.text
    assert "1.235" in answer.text
    assert answer.headers["live-every"] == "1"


def test_a_failed_run_is_looked_into_first(database: Path) -> None:
    with db.transaction() as session:
        made_runs.host(session)
        run = made_runs.made(
            session, made_runs.base(session), made_runs.version(session), State.FAILED, name="first"
        )
        run.error = {"message": "The disk is full.", "hint": "Free some space."}
    text = page()
    assert "See why “first” failed" in text
    assert "The disk is full." in text


def test_a_fresh_model_is_tried_and_then_improved_on(database: Path) -> None:
    with db.transaction() as session:
        base, data = made_runs.base(session), made_runs.version(session)
        run = made_runs.made(session, base, data, State.SUCCEEDED, losses=[1.0], name="first")
        made = Model(name="result", source="runs/1/model", run_id=run.id, base_id=base.id)
        session.add(made)
        session.flush()
        tried = f"/try?models={base.id},{made.id}"
    assert tried in page()
    with db.transaction() as session:
        session.add(Answer(chat="a", turn=0, model_id=made.id))
    assert f"/new-run?clone={run.id}" in page()


def test_a_phase_is_done_when_a_run_of_it_succeeded_and_the_next_one_is_marked(database: Path) -> None:
    with db.transaction() as session:
        project = Project(name="Directions", phase=1, criteria=[{"name": "Right", "target": 0.85}])
        session.add(project)
        session.flush()
        base, data = made_runs.base(session), made_runs.version(session)
        run = made_runs.made(session, base, data, State.SUCCEEDED, losses=[1.0], project=project.id)
        states = [rung.state for rung in home.ladder(project, [run])]
        number = project.id
    assert states == ["done", "done", "now", "later"]
    text = page()
    assert "85 %" in text
    for address in ("use-case?id", "guide?project", "ladder?project", "prompts?project", "evaluate?project"):
        assert f'href="/{address}={number}"' in text


def test_a_use_case_without_data_leads_to_the_guide_about_it(database: Path) -> None:
    with db.transaction() as session:
        session.add(Project(name="Directions"))
    text = page()
    assert '"button primary" href="/guide?project=1"' in text
    assert "synthetic data" not in text


def test_the_ladder_shows_what_was_measured_and_the_next_step_is_what_that_says(database: Path) -> None:
    project = climbing.use_case()
    with db.transaction() as session:
        made_runs.host(session)
        sft = climbing.trained(session, project, name="sft")
    number = climbing.measured(project, [sft], lambda name: 0.7 if "sft" in name else 0.1)
    text = page()
    assert "70 % (60.4 % to 78.1 %), gained" in text
    assert "Learn from preferences next" in text
    assert f"/evaluate?id={number}" in text
    assert f"/ladder?project={project}" in text
    with db.transaction() as session:
        climbing.trained(session, project, "dpo")
    assert "Learn from preferences next" not in page()


def test_a_climb_is_watched(database: Path) -> None:
    project = climbing.use_case()
    with db.transaction() as session:
        made_runs.host(session)
        climbs.start(session, project, 4)
    assert "is climbing by itself" in page()
    climbs.look()
    assert "Measure the starting point." in page()
