"""Use cases: what success means is kept as it was said, and the first criterion decides."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from studio import db, graders, preferences, sample, use_cases
from studio.errors import NotFound
from studio.graders.choice import checked
from studio.models import Project
from studio.use_cases import Criterion


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


def test_every_criterion_of_the_sample_can_be_measured(session: Session) -> None:
    told = [Criterion.model_validate(each) for each in sample.describe()["criteria"]]
    assert 1 <= len(told) <= use_cases.MOST_CRITERIA
    chosen = checked([each.grader for each in told if each.grader])
    assert len(chosen) == len(told)
    assert all(graders.has(each.grader) for each in chosen)


def test_a_preference_is_kept_until_it_is_taken_back(session: Session) -> None:
    assert preferences.get(session, "thresholds") == {}
    preferences.put(session, "thresholds", {"sft_min": 300})
    preferences.put(session, "thresholds", {"sft_min": 400})
    session.flush()
    assert preferences.get(session, "thresholds") == {"sft_min": 400}
