"""Use cases: what success means is kept as it was said, and the first criterion decides."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from studio import db, events, graders, preferences, runs, sample, use_cases
from studio.errors import NotFound, Refused, StudioError
from studio.graders.choice import checked
from studio.guide import questions
from studio.models import Climb, DatasetVersion, Model, Project
from studio.use_cases import Criterion
from tests import made_runs


@pytest.fixture
def session(database: Path) -> Iterator[Session]:
    with db.transaction() as opened:
        yield opened


def test_the_first_criterion_decides(session: Session) -> None:
    said = [Criterion(name="Right", target=0.9), Criterion(name="Short", target=1.0)]
    project = Project(name="Directions", criteria=use_cases.kept(said))
    session.add(project)
    session.flush()
    assert use_cases.criteria(use_cases.get(session, project.id)) == said
    assert use_cases.target(project) == 0.9
    assert use_cases.target(Project(name="Nothing said", criteria=[])) is None
    with pytest.raises(NotFound, match="no use case 99"):
        use_cases.get(session, 99)


@pytest.mark.parametrize("name", [name for name, _ in sample.templates()])
def test_every_criterion_of_a_template_is_measured_or_waits_for_a_judge(session: Session, name: str) -> None:
    told = [Criterion.model_validate(each) for each in sample.describe(name)["criteria"]]
    assert 1 <= len(told) <= use_cases.MOST_CRITERIA
    ready = [each.grader for each in told if each.grader and not use_cases.lacking(each)]
    assert len(checked(ready)) >= 2
    waiting = [each.grader.grader for each in told if each.grader and use_cases.lacking(each)]
    assert set(waiting) <= {"judge"}
    assert all(graders.has(each.grader.grader) for each in told if each.grader)


def test_a_preference_is_kept_until_it_is_taken_back(session: Session) -> None:
    assert preferences.get(session, "thresholds") == {}
    preferences.put(session, "thresholds", {"sft_min": 300})
    preferences.put(session, "thresholds", {"sft_min": 400})
    session.flush()
    assert preferences.get(session, "thresholds") == {"sft_min": 400}


def described(session: Session, **said: object) -> Project:
    return use_cases.create(session, use_cases.read({"name": "Directions"} | said), "ada")


def test_a_use_case_is_described_and_only_what_was_said_anew_changes(session: Session) -> None:
    project = described(session, problem="Free text", stakes="high", criteria=[{"name": "Right"}])
    use_cases.update_to(session, project.id, use_cases.read({"users": "Staff"}), "bo")
    assert (project.name, project.problem, project.users, project.stakes) == (
        "Directions", "Free text", "Staff", "high",
    )  # fmt: skip
    assert [each.name for each in use_cases.criteria(project)] == ["Right"]
    told = [(event.what, event.who, event.details) for event in events.of(session, f"project:{project.id}")]
    assert [what for what, _, _ in told] == ["use case described", "use case changed"]
    assert told[1][1:] == ("bo", {"users": {"before": "", "after": "Staff"}})


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"name": "  "}, "name"),
        ({"name": "Taken"}, "name"),
        ({"stakes": "huge"}, "stakes"),
        ({"phase": 5}, "phase"),
        ({"model_id": 99}, "model_id"),
        ({"held_out_id": 99}, "held_out_id"),
        ({"criteria": [{"name": str(n)} for n in range(4)]}, "criteria"),
        ({"criteria": [{"name": "Right"}, {"name": ""}]}, "criteria.1.name"),
        ({"criteria": [{"name": "Right", "target": 85}]}, "criteria.0.target"),
        ({"criteria": [{"name": "Right", "now": -0.1}]}, "criteria.0.now"),
        ({"criteria": [{"name": "Right", "grader": {"grader": "magic"}}]}, "criteria.0.grader"),
        (
            {"criteria": [{"name": "a"}, {"name": "b", "grader": {"grader": "regex"}}]},
            "criteria.1.grader",
        ),
        (
            {"criteria": [{"name": "b", "grader": {"grader": "rouge", "parameters": {"kind": "x"}}}]},
            "criteria.0.grader",
        ),
    ],
)
def test_what_is_wrong_is_refused_by_its_field(session: Session, said: dict[str, Any], field: str) -> None:
    described(session, name="Taken")
    with pytest.raises(StudioError) as refused:
        described(session, **said)
    assert refused.value.field == field
    assert [project.name for project, _ in use_cases.listed(session)] == ["Taken"]


def test_a_use_case_keeps_its_own_name(session: Session) -> None:
    project = described(session)
    assert use_cases.update_to(session, project.id, use_cases.read({"name": "Directions"})).id == project.id


def test_a_criterion_waits_for_its_grader_and_a_judge_for_its_model(session: Session) -> None:
    rubric = {"grader": "judge", "parameters": {"rubric": "Is it kind?"}}
    said = [
        {"name": "Later"},
        {"name": "Kind", "grader": rubric},
        {"name": "Right", "grader": {"grader": "rouge"}},
    ]
    project = described(session, criteria=said)
    lacking = [use_cases.lacking(each) for each in use_cases.criteria(project)]
    assert lacking == ["No grader is chosen for it.", "No judge is chosen for it.", ""]
    assert [each.grader for each in use_cases.measured_by(project)] == ["rouge"]
    starter = sample.add_starter(session)
    session.flush()
    assert starter
    rubric["parameters"]["model"] = str(starter.id)  # type: ignore[index]
    use_cases.update_to(session, project.id, use_cases.read({"criteria": said}))
    assert [each.grader for each in use_cases.measured_by(project)] == ["judge", "rouge"]


def test_two_criteria_of_one_grader_are_told_apart_by_name(session: Session) -> None:
    twice = [{"name": name, "grader": {"grader": "rouge"}} for name in ("Alike", "Complete")]
    assert [each.name for each in use_cases.measured_by(described(session, criteria=twice))] == [
        "rouge", "rouge 2",
    ]  # fmt: skip


def test_the_current_use_case_is_the_one_in_which_something_happened_last(session: Session) -> None:
    assert use_cases.current(session) is None
    first, second = described(session), described(session, name="Notes")
    assert use_cases.current(session) is second
    run = made_runs.made(session, made_runs.base(session), made_runs.version(session), project=first.id)
    assert use_cases.current(session) is first
    assert use_cases.listed(session)[0] == (first, run.created)


def test_removing_a_use_case_keeps_its_data_and_runs(session: Session) -> None:
    project = described(session)
    data = made_runs.version(session)
    run = made_runs.made(session, made_runs.base(session), data, project=project.id)
    use_cases.assign(session, data.dataset_id, project.id)
    with pytest.raises(Refused, match="1 dataset and 1 run of “Directions”"):
        use_cases.remove(session, project.id)
    use_cases.remove(session, project.id, "ada", detach=True)
    session.flush()
    session.expire_all()
    assert session.get(Project, project.id) is None
    assert (data.dataset.project_id, run.project_id) == (None, None)


def test_a_use_case_that_climbs_is_not_removed(session: Session) -> None:
    project = described(session)
    session.add(Climb(project_id=project.id, until_phase=2))
    session.flush()
    with pytest.raises(Refused, match="climbing"):
        use_cases.remove(session, project.id, detach=True)


def test_a_dataset_belongs_to_a_use_case_or_to_none(session: Session) -> None:
    data, project = made_runs.version(session), described(session)
    assert use_cases.assign(session, data.dataset_id, project.id).project_id == project.id
    assert use_cases.assign(session, data.dataset_id, None).project_id is None
    with pytest.raises(NotFound):
        use_cases.assign(session, data.dataset_id, 99)


# ---- templates ----------------------------------------------------------------------------------------


def test_the_sample_is_the_first_of_the_templates_that_its_folder_holds() -> None:
    names = [name for name, _ in sample.templates()]
    assert names[0] == sample.SAMPLE
    assert set(names) == {path.parent.name for path in sample.EXAMPLES.glob("*/use_case.json")}
    with pytest.raises(NotFound, match="no template"):
        sample.describe("../etc")


@pytest.mark.parametrize("name", [name for name, _ in sample.templates()])
def test_a_template_is_loaded_whole_and_once(database: Path, name: str) -> None:
    project_id = sample.load(name, "ada")
    assert sample.load(name) == project_id
    with db.transaction() as session:
        project, about = use_cases.get(session, project_id), sample.describe(name)
        assert (project.origin, project.answers) == (name, about["guide_answers"])
        assert "synthetic" in project.problem
        model = session.get_one(Model, project.model_id)
        held_out = session.get_one(DatasetVersion, project.held_out_id)
        assert (model.name, held_out.split) == (sample.STARTER_NAME, "held-out")
        belong = use_cases.belongings(session, project_id)
        assert belong == {"dataset": len(about["datasets"])}
        assert use_cases.measured_by(project)
        assert questions.read_answers(project.answers).stakes == project.stakes
        again = use_cases.read({"criteria": [each.model_dump() for each in use_cases.criteria(project)]})
        use_cases.update_to(
            session, project_id, again
        )  # what is shipped would also be accepted from a person
        assert runs.launch(session, sample.first_config(session, project_id)).held_out_id == held_out.id


def test_a_template_that_was_renamed_is_found_again_and_a_removed_one_gets_its_data_back(
    database: Path,
) -> None:
    first = sample.load()
    with db.transaction() as session:
        use_cases.update_to(session, first, use_cases.read({"name": "Ours"}))
    assert sample.load() == first
    with db.transaction() as session:
        use_cases.remove(session, first, detach=True)
    second = sample.load()
    with db.reading() as session:
        assert use_cases.get(session, second).name == "Medication directions"
        assert use_cases.belongings(session, second)["dataset"] == 5


def test_a_template_never_takes_over_a_use_case_that_a_person_named_alike(database: Path) -> None:
    with db.transaction() as session:
        own = described(session, name="Content quality").id
    loaded = sample.load("content_quality")
    with db.reading() as session:
        assert use_cases.get(session, own).origin == ""
        assert use_cases.get(session, loaded).name == "Content quality (sample)"


def test_a_sample_that_an_older_studio_loaded_is_known_as_synthetic(database: Path) -> None:
    first = sample.load()
    with db.transaction() as session:
        use_cases.get(session, first).origin = ""
    assert sample.load() == first
    with db.reading() as session:
        assert use_cases.get(session, first).origin == sample.SAMPLE
