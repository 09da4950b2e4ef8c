"""What a use case has: chosen on its page, or found among what belongs to it and what its runs used."""

from pathlib import Path

import pytest

from studio import db, material, sample
from studio.errors import StudioError
from studio.graders.choice import GraderChoice
from studio.models import Dataset, DatasetVersion, Project, Run
from studio.use_cases import Criterion, kept
from tests import climbing, made_runs


@pytest.fixture
def project(database: Path) -> int:
    return climbing.use_case()


def of(project: int) -> material.Material:
    with db.reading() as session:
        return material.of(session, climbing.project(session, project))


def test_the_sample_has_everything_and_its_grader_is_a_program(project: int) -> None:
    found = of(project)
    assert found.model is not None
    assert found.held_out is not None
    assert (found.model.name, found.held_out.split) == (sample.STARTER_NAME, "held-out")
    counts = {kind: found.count(kind) for kind in material.KINDS}
    assert counts == {"n_labelled": 500, "n_pairs": 1200, "n_prompts": 1200}
    assert (found.reward, found.out_tokens, found.stakes) == ("verifiable", 60, "high")


def test_data_of_nobody_is_left_alone_until_a_run_of_the_use_case_learned_from_it(project: int) -> None:
    with db.transaction() as session:
        other = Project(name="other", criteria=kept([Criterion(name="Right")]))
        session.add(other)
        data, model = made_runs.version(session, "nobody's"), made_runs.base(session)
        session.flush()
        number = other.id
    assert of(number).count("n_labelled") == 0
    with db.transaction() as session:
        made_runs.made(session, model, data, project=number)
    found = of(number)
    assert found.count("n_labelled") == 500
    assert found.model is not None
    assert found.model.name == "starter"


def test_of_a_dataset_that_was_split_only_the_part_for_training_is_learned_from(project: int) -> None:
    with db.transaction() as session:
        dataset = Dataset(name="more", project_id=project)
        for number, (split, rows) in enumerate((("", 900), ("train", 800), ("held-out", 100)), 1):
            session.add(
                DatasetVersion(
                    dataset=dataset,
                    number=number,
                    shape="chat",
                    format="jsonl",
                    rows=rows,
                    sha256=split,
                    folder=f"datasets/{number}",
                    split=split,
                )
            )
    assert of(project).data["n_labelled"].split == "train"
    assert of(project).count("n_labelled") == 800


def test_what_is_missing_is_named_with_where_to_say_it(project: int) -> None:
    with db.transaction() as session:
        climbing.project(session, project).criteria = kept([Criterion(name="Right")])
    with pytest.raises(StudioError, match="first criterion") as refused:
        material.check_measurable(of(project))
    assert (refused.value.field, bool(refused.value.hint)) == ("criteria", True)


@pytest.mark.parametrize(("grader", "reward"), [("exact_match", "verifiable"), ("rouge", "human_only")])
def test_who_can_score_is_the_graders_or_what_was_answered(project: int, grader: str, reward: str) -> None:
    with db.transaction() as session:
        changed = climbing.project(session, project)
        changed.criteria = kept([Criterion(name="Right", grader=GraderChoice(grader=grader))])
        changed.answers = {"reward": "human_only"}
    assert of(project).reward == reward


def test_what_the_newest_run_was_measured_on_counts_as_held_out(project: int) -> None:
    with db.transaction() as session:
        run = session.get_one(Run, climbing.trained(session, project).run_id)
        other = Project(name="other", criteria=[])
        session.add(other)
        session.flush()
        run.project_id = other.id
        expected, number = run.held_out_id, other.id
    found = of(number)
    assert found.held_out is not None
    assert found.held_out.id == expected
