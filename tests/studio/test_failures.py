"""Failures: what fell short, the kinds people name, and how often each of them is."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from studio import db, evaluations, failures, prompts, sample, use_cases
from studio.errors import NotFound, Refused, StudioError
from studio.evaluations import EvaluationConfig
from studio.models import FailureKind, Project, Run
from studio.prompting import Prompting
from studio.prompts import measuring
from studio.prompts.measuring import Measurement
from tests.studio.test_prompts import answered

RIGHTS = [[0, 0, 0, 1], [1, 0, 1, 1]]


@pytest.fixture
def session(database: Path) -> Iterator[Session]:
    sample.load()
    with db.transaction() as opened:
        yield opened


@pytest.fixture
def project(session: Session) -> int:
    return session.query(Project).one().id


@pytest.fixture
def run(session: Session, project: int) -> Run:
    """Of four answers the plain model failed at three, version 1 at one."""
    version = prompts.create(session, project, Prompting(system="Answer in JSON."))
    measured = measuring.launch(
        session, Measurement(project=project, prompts=[version.id], models=[sample.STARTER_NAME])
    )
    answered(session, measured, RIGHTS)
    return measured


def kinds(session: Session, project: int, *names: str) -> list[FailureKind]:
    return [failures.add_kind(session, project, name) for name in names]


def test_answers_below_full_marks_are_listed_with_their_question(session: Session, run: Run) -> None:
    found, total = failures.of(session, run, 0, count=2)
    assert (total, [each.number for each in found]) == (3, [0, 1])
    assert found[0].prompt == "tid, take 5 ml via tube when required for 10 days"
    assert (found[0].answer, found[0].score) == ("{}", 0.0)
    assert found[0].reference.startswith('{"dose": 5')
    assert [each.number for each in failures.of(session, run, 0, start=2)[0]] == [2]
    assert [each.number for each in failures.of(session, run, 1)[0]] == [1]
    with pytest.raises(NotFound, match="no contestant 2"):
        failures.of(session, run, 2)


def test_the_lowest_scores_come_first_where_no_score_is_full_marks(session: Session, project: int) -> None:
    twice = {"formula": "2 * a", "graders": '{"a": {"grader": "exact_match"}}'}
    config = EvaluationConfig.model_validate(
        {
            "contestants": [sample.STARTER_NAME],
            "dataset": "Medication directions: held out",
            "graders": [{"grader": "formula", "parameters": twice}],
        }
    )
    run = evaluations.launch(session, config)
    answered(session, run, [[4, 6, 2]])
    found, _ = failures.of(session, run, 0)
    assert [(each.number, each.score) for each in found] == [(2, 2.0), (0, 4.0)]
    assert failures.evaluations_of(session, use_cases.get(session, project)) == [run]


def test_a_failure_may_be_of_several_kinds_and_they_can_be_taken_back(
    session: Session, project: int, run: Run
) -> None:
    unit, route = kinds(session, project, "wrong unit", "wrong route")
    assert failures.mark(session, run, 0, 0, unit.id, True) == {unit.id}
    assert failures.mark(session, run, 0, 0, route.id, True) == {unit.id, route.id}
    assert failures.mark(session, run, 0, 0, route.id, True) == {unit.id, route.id}
    assert failures.mark(session, run, 0, 0, unit.id, False) == {route.id}
    assert [each.kinds for each in failures.of(session, run, 0)[0]] == [[route.id], [], []]
    assert failures.of(session, run, 0, kind=route.id)[1] == 1
    assert failures.of(session, run, 0, kind=failures.UNNAMED)[1] == 2
    with pytest.raises(NotFound, match="no such answer"):
        failures.mark(session, run, 0, 99, unit.id, True)


def test_kinds_are_counted_for_each_contestant_as_shares_of_its_failures(
    session: Session, project: int, run: Run
) -> None:
    unit, route = kinds(session, project, "wrong unit", "wrong route")
    for contestant, number, kind in ((0, 0, route), (0, 1, route), (1, 1, unit)):
        failures.mark(session, run, contestant, number, kind.id, True)
    failures.mark(session, run, 0, 3, unit.id, True)  # an answer that did not fail counts nowhere
    told = failures.counts(session, run, failures.kinds_of(session, project))
    assert (told.failed, told.asked) == ([3, 1], [4, 4])
    named = [(each.kind.name if each.kind else None, each.numbers) for each in told.kinds]
    assert named == [("wrong route", [2, 0]), ("wrong unit", [0, 1]), (None, [1, 0])]
    assert told.kinds[0].shares == [pytest.approx(2 / 3), 0.0]


def test_two_kinds_become_one_and_no_failure_is_lost_or_doubled(
    session: Session, project: int, run: Run
) -> None:
    unit, units = kinds(session, project, "wrong unit", "unit wrong")
    for number, kind in ((0, unit), (0, units), (1, units)):
        failures.mark(session, run, 0, number, kind.id, True)
    assert failures.merge_kinds(session, units.id, unit.id) == 2
    assert [each.kinds for each in failures.of(session, run, 0)[0]] == [[unit.id], [unit.id], []]
    assert failures.kinds_of(session, project) == [unit]
    with pytest.raises(StudioError, match="another kind"):
        failures.merge_kinds(session, unit.id, unit.id)


def test_a_kind_that_is_removed_leaves_its_failures_unnamed(session: Session, project: int, run: Run) -> None:
    (unit,) = kinds(session, project, "wrong unit")
    failures.mark(session, run, 0, 0, unit.id, True)
    assert failures.times_given(session, unit.id) == 1
    failures.remove_kind(session, unit.id)
    assert failures.of(session, run, 0, kind=failures.UNNAMED)[1] == 3


def test_names_of_kinds_are_kept_apart(session: Session, project: int) -> None:
    unit, _ = kinds(session, project, "wrong unit", "wrong route")
    with pytest.raises(StudioError, match="already"):
        failures.rename_kind(session, unit.id, " Wrong  route ")
    with pytest.raises(StudioError, match="name"):
        failures.add_kind(session, project, "  ")
    assert failures.rename_kind(session, unit.id, "Wrong unit", "ml for mg").note == "ml for mg"


def test_kinds_of_another_use_case_do_not_fit(session: Session, run: Run) -> None:
    other = Project(name="Other", criteria=[])
    session.add(other)
    session.flush()
    (theirs,) = kinds(session, other.id, "theirs")
    with pytest.raises(Refused, match="another use case"):
        failures.mark(session, run, 0, 0, theirs.id, True)


def test_a_list_of_failures_says_everything_by_name(session: Session, project: int, run: Run) -> None:
    (unit,) = kinds(session, project, "wrong unit")
    failures.mark(session, run, 1, 1, unit.id, True)
    (row,) = failures.listed(session, run, 1)
    assert row["contestant"] == f"{sample.STARTER_NAME}, v1"
    assert (row["row"], row["metric"], row["score"], row["kinds"]) == (2, "exact_match", 0.0, ["wrong unit"])
