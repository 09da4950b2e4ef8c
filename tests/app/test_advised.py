"""What a recommendation fills into the form of a new run."""

from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from app.setup import Setup, beginning, verdict
from app.setup.plan import Plan
from studio import db, recommendations, runs, sample, use_cases
from studio.datasets import library
from studio.models import Model, Project
from studio.use_cases import Criterion
from tests import made_runs

TITLES = {"sft": "labelled", "dpo": "preference pairs", "kto": "thumbs", "grpo": "prompts"}


def advice(session: Session, project: int | None) -> int:
    kept = recommendations.save(session, {"main_gap": "task_accuracy", "n_labelled": 800, "phase_done": 1})
    kept.project_id = project
    session.flush()
    return kept.id


def begun(session: Session, technique: str, project: int | None) -> Setup:
    asked = {"technique": technique, "recommendation": str(advice(session, project))}
    return beginning.begin(session, asked)


@pytest.mark.parametrize("technique", TITLES)
def test_a_use_case_fills_in_all_that_start_waits_for(database: Path, technique: str) -> None:
    project = sample.load()
    with db.transaction() as session:
        plan = Plan(session, begun(session, technique, project))
        assert verdict.judge(plan).button == "Start"
        assert plan.dataset is not None
        assert plan.dataset.dataset == f"Medication directions: {TITLES[technique]}"
        assert plan.setup.project == project


def test_a_reward_is_made_of_the_criteria(database: Path) -> None:
    project = sample.load()
    with db.transaction() as session:
        setup = begun(session, "grpo", project)
        assert [each.grader for each in setup.graders] == ["exact_match", "json_fields", "json_schema"]
        assert "json_schema" in setup.graders[2].parameters
        assert begun(session, "sft", project).graders == []


def test_a_criterion_without_a_grader_is_left_out(database: Path) -> None:
    project = sample.load()
    with db.transaction() as session:
        kept = session.get_one(Project, project)
        kept.criteria = use_cases.kept([Criterion(name="People like it")])
        assert begun(session, "grpo", project).graders == []


def test_the_use_cases_own_model_and_held_out_rows_come_first(database: Path) -> None:
    project = sample.load()
    with db.transaction() as session:
        kept = session.get_one(Project, project)
        tuned = Model(name="tuned", source="x/tuned", parameters=4_000_000)
        session.add(tuned)
        session.flush()
        kept.model_id = tuned.id
        kept.held_out_id = library.find_version(session, "Medication directions: prompts").id
        setup = begun(session, "sft", project)
        assert (setup.model, setup.held_out) == (str(tuned.id), str(kept.held_out_id))
        assert begun(session, "grpo", project).dataset != setup.held_out


def test_without_a_use_case_only_what_leaves_no_choice_is_filled_in(database: Path) -> None:
    with db.transaction() as session:
        made_runs.base(session)
        first = made_runs.version(session)
        setup = begun(session, "sft", None)
        assert (setup.model, setup.dataset) == ("1", str(first.id))
        made_runs.base(session, "other")
        made_runs.version(session, "more directions")
        setup = begun(session, "sft", None)
        assert (setup.model, setup.dataset) == ("", "")


def test_of_a_split_dataset_the_part_to_learn_from_is_taken(database: Path) -> None:
    project = sample.load()
    with db.transaction() as session:
        whole = library.find_version(session, "Medication directions: labelled")
    parts = library.prepare_split(whole, 0.2, 1)
    with db.transaction() as session:
        train, held_out = library.add_split(session, whole.id, parts)
        session.get_one(Project, project).held_out_id = None  # what it says comes before what was split off
        setup = begun(session, "sft", project)
        assert (setup.dataset, setup.held_out) == (str(train.id), str(held_out.id))


def test_a_run_from_advice_remembers_it(database: Path) -> None:
    project = sample.load()
    with db.transaction() as session:
        setup = begun(session, "sft", project)
        run = runs.launch(session, verdict.config(Plan(session, setup)))
        assert (run.recommendation_id, run.project_id) == (setup.recommendation, project)


def test_without_a_model_of_its_own_a_use_case_goes_on_with_the_one_its_runs_trained(database: Path) -> None:
    project = sample.load()
    with db.transaction() as session:
        session.get_one(Project, project).model_id = None
        other = made_runs.base(session, "another base")
        made_runs.made(session, other, made_runs.version(session), project=project)
        assert begun(session, "sft", project).model == str(other.id)


def test_a_longest_row_without_room_for_any_answer_is_refused_before_the_start(database: Path) -> None:
    project = sample.load()
    with db.transaction() as session:
        setup = begun(session, "sft", project)
        plan = Plan(session, setup)
        assert plan.dataset is not None
        data = library.get_version(session, plan.dataset.id)
        told = {"user": {"words": {"min": 20}}}
        data.report = {"statistics": {"fields": told, "turns": {"max": 2}}}
        setup.parameters = {"max_length": 16}
        refused = verdict.judge(Plan(session, setup))
        assert refused.wrong == "parameters:max_length"
        assert "the shortest has 20 words" in str(refused.problem)
        setup.parameters = {"max_length": 256}
        assert verdict.judge(Plan(session, setup)).is_ready
