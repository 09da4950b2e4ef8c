"""What the guide need not ask: counted in the data, told with the use case, measured by an evaluation."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from studio import db, events, interview, known, preferences, recommendations, use_cases
from studio.datasets import library
from studio.errors import StudioError
from studio.graders.choice import GraderChoice, checked
from studio.models import (
    Dataset,
    DatasetVersion,
    EvaluationItem,
    Kind,
    Project,
    Recommendation,
    Run,
    State,
)
from studio.use_cases import Criterion

EXACT = GraderChoice(grader="exact_match")


@pytest.fixture
def session(database: Path) -> Iterator[Session]:
    with Session(db.engine()) as opened:
        yield opened


def project(session: Session, **fields: Any) -> Project:
    criteria = [Criterion(name="Right", grader=EXACT, now=0.5, target=0.9), Criterion(name="Short", target=1)]
    made = Project(**{"name": "Directions", "criteria": use_cases.kept(criteria)} | fields)
    session.add(made)
    session.flush()
    return made


def data(session: Session, name: str, rows: int, owner: Project | None = None) -> DatasetVersion:
    made = DatasetVersion(
        dataset=Dataset(name=name, project_id=owner.id if owner else None),
        number=1,
        shape="chat",
        format="jsonl",
        rows=rows,
        sha256=name,
        folder=f"datasets/{name}",
    )
    session.add(made)
    session.flush()
    library.rows_path(made).parent.mkdir(parents=True)
    library.rows_path(made).touch()
    return made


def evaluation(session: Session, owner: Project, rights: list[list[int]], **fields: Any) -> Run:
    """One that is done. `rights[contestant][question]`; every question was answered greedily and 8 times."""
    graders = [each.model_dump(mode="json") for each in checked([fields.pop("grader", EXACT)])]
    made = Run(
        **{"name": "measured", "kind": Kind.EVALUATE, "state": State.SUCCEEDED, "project_id": owner.id}
        | {"graders": graders, "parameters": {"contestants": [{"name": str(n)} for n in range(len(rights))]}}
        | fields
    )
    session.add(made)
    session.flush()
    for contestant, row in enumerate(rights):
        for number, right in enumerate(row):
            for take in range(9):
                session.add(
                    EvaluationItem(
                        run_id=made.id,
                        contestant=contestant,
                        number=number,
                        take=take,
                        answer="",
                        scores={graders[0]["name"]: float(right if take in (0, 8) else 0)},
                        seconds=0.1,
                        tokens=9,
                    )
                )
    session.commit()  # what an evaluation says is read apart from other work
    return made


def values(session: Session, owner: Project | None) -> dict[str, Any]:
    return {name: each.value for name, each in known.of(session, owner).items()}


def test_each_criterion_has_the_figure_of_the_newest_evaluation_that_scored_by_it(session: Session) -> None:
    ours = project(session)
    by = GraderChoice(grader="length", parameters={"at_most": 9})
    short = Criterion(name="Short", grader=by)
    right = use_cases.criteria(ours)[0]
    first = evaluation(session, ours, [[1, 1, 0, 1]])
    second = evaluation(session, ours, [[0, 0, 1, 0], [0, 1, 1, 0]], grader=by)
    found, other = known.measured(session, ours, right), known.measured(session, ours, short)
    assert found
    assert (found.run.id, found.contestant, found.figure.mean.value) == (first.id, "0", 0.75)
    assert other
    assert (other.run.id, other.contestant, other.figure.mean.value) == (second.id, "1", 0.5)
    assert known.measured(session, ours, Criterion(name="Kind")) is None
    otherwise = GraderChoice(grader="length", parameters={"at_most": 8})
    assert known.measured(session, ours, Criterion(name="Shorter", grader=otherwise)) is None


def test_a_use_case_tells_its_stakes_its_phase_and_its_first_criterion(session: Session) -> None:
    ours = project(session, stakes="high", phase=2, answers={"reward": "verifiable", "phase_done": 1})
    assert values(session, ours) == {
        "stakes": "high",
        "phase_done": 2,
        "metric_now": 0.5,
        "metric_target": 0.9,
        "reward": "verifiable",
    }
    told = known.of(session, ours)["stakes"]
    assert (told.says, told.href, told.told) == ("As the use case says", f"/use-case?id={ours.id}", True)


@pytest.mark.parametrize(("phase", "said", "done"), [(0, None, None), (0, 1, 1), (4, 1, 3)])
def test_the_phase_is_the_highest_that_is_known_and_one_the_guide_asks_for(
    session: Session, phase: int, said: int | None, done: int | None
) -> None:
    ours = project(session, phase=phase, answers={"phase_done": said} if said else {})
    assert values(session, ours).get("phase_done") == done


def test_a_use_case_counts_its_own_data_and_all_data_only_while_it_has_none(session: Session) -> None:
    ours = project(session)
    data(session, "everybody's", 70)
    assert values(session, ours)["n_labelled"] == 70
    ours.answers = {"n_labelled": 500}
    assert values(session, ours)["n_labelled"] == 500
    data(session, "own", 30, ours)
    assert values(session, ours)["n_labelled"] == 30
    assert known.of(session, ours)["n_labelled"].says == "Counted from own · v1"
    assert values(session, None)["n_labelled"] == 100


def test_what_a_use_case_is_measured_on_does_not_count(session: Session) -> None:
    ours = project(session)
    ours.held_out_id = data(session, "held out", 30, ours).id
    assert "n_labelled" not in values(session, ours)


def test_the_newest_evaluation_says_how_good_it_is_and_whether_it_ever_succeeds(session: Session) -> None:
    ours = project(session)
    evaluation(session, ours, [[1, 1, 1, 1]])
    newest = evaluation(session, ours, [[0, 0, 0, 1], [0, 1, 1, 1], [0, 0, 1, 1]])
    found = known.of(session, ours)
    assert (found["metric_now"].value, found["pass_at_8"].value) == (0.75, 0.75)
    for name in ("metric_now", "pass_at_8"):
        assert found[name].says == f"Measured by evaluation {newest.id}"
        assert found[name].href == f"/evaluate?id={newest.id}"


@pytest.mark.parametrize(
    "otherwise",
    [
        {"state": State.RUNNING},
        {"project_id": None},
        {"kind": Kind.TRAIN},
        {"held_out_id": None},
        {"grader": GraderChoice(grader="json_fields")},
    ],
)
def test_an_evaluation_of_something_else_does_not_count(session: Session, otherwise: dict[str, Any]) -> None:
    ours = project(session)
    ours.held_out_id = data(session, "held out", 4, ours).id
    before = evaluation(session, ours, [[1, 1, 0, 0]], held_out_id=ours.held_out_id)
    evaluation(session, ours, [[1, 1, 1, 1]], **{"held_out_id": ours.held_out_id} | otherwise)
    assert known.of(session, ours)["metric_now"].says == f"Measured by evaluation {before.id}"


def test_the_same_grader_with_other_settings_is_another_metric(session: Session) -> None:
    said, other = (GraderChoice(grader="length", parameters={"at_most": most}) for most in (10, 20))
    ours = project(session, criteria=use_cases.kept([Criterion(name="Short", grader=said, target=0.9)]))
    evaluation(session, ours, [[1, 1]], grader=other)
    assert "metric_now" not in values(session, ours)
    evaluation(session, ours, [[1, 0]], grader=said)
    assert values(session, ours)["metric_now"] == 0.5


def test_a_draft_that_begins_for_a_use_case_ends_in_its_recommendation(session: Session) -> None:
    ours = project(session, answers={"phase_done": 1, "main_gap": "task_accuracy", "n_labelled": 800})
    interview.answer(session, "guide-abc123", {"n_labelled": None}, ours.id)
    said = interview.get(session, "guide-abc123")
    assert said.project is ours
    assert said.completed["n_labelled"] is None
    assert said.completed["metric_target"] == 0.9
    made = recommendations.save(session, said.completed, project_id=ours.id)
    assert session.get_one(Recommendation, made.id).project_id == ours.id
    assert made.result["technique"] == "collect_labels"
    interview.begin_with(session, "guide-abc124", made.id)
    assert interview.get(session, "guide-abc124").project is ours


def test_thresholds_are_kept_checked_reset_and_on_record(session: Session) -> None:
    recommendations.set_thresholds(session, {"sft_min": 300, "pairs_min": 1000}, "ada")
    assert preferences.get(session, "thresholds") == {"sft_min": 300}
    with pytest.raises(StudioError, match="cannot be above"):
        recommendations.set_thresholds(session, {"sft_max": 200})
    assert recommendations.guide(session).limits["sft_min"] == 300
    recommendations.set_thresholds(session, {"sft_min": None}, "ada")
    assert recommendations.guide(session).limits["sft_min"] == 500
    told = events.of(session, "preference:thresholds")
    assert [(each.who, each.details["after"]) for each in told] == [("ada", {"sft_min": 300}), ("ada", {})]


def test_a_threshold_that_the_guide_no_longer_has_is_forgotten(session: Session) -> None:
    preferences.put(session, "thresholds", {"of_old": 3, "sft_min": 300})
    assert recommendations.guide(session).limits["sft_min"] == 300
    recommendations.set_thresholds(session, {"sft_min": 400})
    assert preferences.get(session, "thresholds") == {"sft_min": 400}
