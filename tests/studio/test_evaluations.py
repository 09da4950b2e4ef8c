"""Evaluations: who answers, and what known answers say."""

from pathlib import Path

import orjson
import pytest

from studio import db, evaluations, runs, sample
from studio.datasets import library
from studio.errors import Refused, StudioError
from studio.evaluations import EvaluationConfig, results
from studio.models import EvaluationItem, Model, Run, State
from studio.runs import RunConfig
from tests import made_runs

HELD_OUT = "Medication directions: held out"


@pytest.fixture
def tuned(database: Path) -> int:
    """A model that a run made of the starter; its id."""
    project = sample.load()
    with db.transaction() as session:
        run = runs.launch(session, sample.first_config(session, project))
        for state in made_runs.PATHS[State.SUCCEEDED]:
            runs.move(session, run, state)
        model = Model(name="tuned", source="runs/1/model", run_id=run.id, base_id=run.model_id)
        session.add(model)
        session.flush()
        return model.id


def measured(tuned: int, rights: list[list[int]], takes: int = 1, dataset: str = HELD_OUT) -> results.Results:
    """Results of made-up scores: `rights[contestant][question]`."""
    with db.transaction() as session:
        config = EvaluationConfig(contestants=[tuned], dataset=dataset, graders=["exact_match"])
        run = evaluations.launch(session, config)
        for contestant, row in enumerate(rights):
            for number, right in enumerate(row):
                for take in range(takes):
                    session.add(
                        EvaluationItem(
                            run_id=run.id,
                            contestant=contestant,
                            number=number,
                            take=take,
                            answer="{}",
                            scores={"exact_match": float(right)},
                            seconds=0.01,
                            tokens=20,
                        )
                    )
        run_id = run.id
    with db.reading() as session:
        found = results.of(session, runs.get(session, run_id))
        assert found is not None
        return found


def test_the_base_answers_too_and_is_what_the_others_are_measured_against(tuned: int) -> None:
    with db.transaction() as session:
        run = evaluations.launch(
            session, EvaluationConfig(contestants=[tuned], dataset=HELD_OUT, graders=["exact_match"])
        )
        assert evaluations.names(run) == [sample.STARTER_NAME, "tuned"]
        assert [model.id for model in evaluations.models(session, run)] == [run.model_id, tuned]
        assert results.of(session, run) is None


def test_a_base_that_is_only_asked_in_another_way_answers_as_it_is_too(database: Path) -> None:
    sample.load()
    with db.transaction() as session:
        told = {"model": sample.STARTER_NAME, "prompting": {"system": "Answer in JSON."}}
        config = EvaluationConfig(contestants=[told], dataset=HELD_OUT, graders=["exact_match"])
        run = evaluations.launch(session, config)
        assert evaluations.names(run) == [sample.STARTER_NAME, f"{sample.STARTER_NAME}, prompted"]


def test_rows_that_a_contestant_learned_from_are_refused(tuned: int) -> None:
    config = EvaluationConfig(
        contestants=[tuned], dataset="Medication directions: labelled", graders=["exact_match"]
    )
    with db.transaction() as session, pytest.raises(Refused, match="learned from"):
        evaluations.launch(session, config)


@pytest.mark.parametrize(
    ("config", "missing"),
    [
        ({"dataset": HELD_OUT, "graders": "exact_match"}, "a model"),
        ({"contestants": "Tunesmith starter", "graders": "exact_match"}, "questions"),
        ({"contestants": "Tunesmith starter", "dataset": HELD_OUT}, "a metric"),
    ],
)
def test_what_is_missing_is_asked_for_in_words(database: Path, config: dict, missing: str) -> None:
    with db.transaction() as session, pytest.raises(StudioError, match=f"Choose {missing} first"):
        evaluations.launch(session, EvaluationConfig.model_validate(config))


def test_rows_without_questions_and_equal_names_are_refused(tuned: int) -> None:
    with db.transaction() as session:
        with pytest.raises(StudioError, match="asks nothing"):
            evaluations.launch(
                session,
                EvaluationConfig(
                    contestants=[tuned], dataset="Medication directions: thumbs", graders=["exact_match"]
                ),
            )
        with pytest.raises(StudioError, match="Two contestants"):
            evaluations.launch(
                session,
                EvaluationConfig(contestants=[tuned, tuned], dataset=HELD_OUT, graders=["exact_match"]),
            )


def test_better_is_only_said_where_the_paired_interval_excludes_zero(tuned: int) -> None:
    found = measured(tuned, [[0] * 60 + [1] * 40, [1] * 30 + [0] * 30 + [1] * 40])
    (difference,) = found.differences
    assert (difference.verdict, difference.gained, difference.lost) == ("better", 30, 0)
    assert difference.change.value == pytest.approx(0.3)


def test_a_small_difference_stays_open_and_says_how_many_questions_would_tell(tuned: int) -> None:
    found = measured(tuned, [[0] * 50 + [1] * 50, [1] * 4 + [0] * 48 + [1] * 48])
    (difference,) = found.differences
    assert difference.verdict == "open"
    assert difference.needed is not None
    assert difference.needed > 100


def test_samples_give_pass_at_1_and_8(tuned: int) -> None:
    found = measured(tuned, [[1] * 5 + [0] * 5, [1] * 10], takes=9)
    first, second = found.figures
    assert [each and each.value for each in (first.pass_1, first.pass_8)] == [0.5, 0.5]
    assert [each and each.value for each in (second.pass_1, second.pass_8, second.mean)] == [1.0, 1.0, 1.0]


def test_the_interval_of_pass_at_k_comes_from_drawing_questions(tuned: int) -> None:
    found = measured(tuned, [[1] * 5 + [0] * 45, [1] * 25 + [0] * 25], takes=9)
    rare, often = (figure.pass_8 for figure in found.figures)
    assert rare
    assert often
    assert rare.low < rare.value < rare.high < often.low < often.value < often.high
    assert found.figures[0].pass_1 == rare  # every sample of a question says the same


def test_without_samples_there_is_no_pass_at_k(tuned: int) -> None:
    (first, _) = measured(tuned, [[1] * 5, [0] * 5]).figures
    assert (first.pass_1, first.pass_8) == (None, None)


def test_slices_say_where_a_difference_is_shown_and_where_it_is_not(tuned: int) -> None:
    found = measured(tuned, [[0] * 600, [1] * 400 + [0] * 200])
    assert {each.value: each.verdicts for each in found.slices} == {
        "plain": ["open", "better"],
        "hard": ["open", "open"],
    }


def test_the_rows_own_columns_are_slices(tuned: int) -> None:
    found = measured(tuned, [[0] * 600, [1] * 400 + [0] * 200])
    shares = {each.value: [mean.value for mean in each.means if mean] for each in found.slices}
    assert shares == {"plain": [0.0, 1.0], "hard": [0.0, 0.0]}


def test_answers_that_changed_are_found_with_their_question(tuned: int) -> None:
    measured(tuned, [[0, 1, 0], [1, 0, 0]])
    with db.reading() as session:
        run = session.query(Run).order_by(Run.id.desc()).first()
        assert run is not None
        gained, count = results.changed(session, run, "exact_match", 1, gained=True)
        assert (count, gained[0].number) == (1, 0)
        assert gained[0].prompt
        assert gained[0].reference.startswith("{")
        lost, _ = results.changed(session, run, "exact_match", 1, gained=False)
        assert [each.number for each in lost] == [1]


def test_any_two_contestants_are_compared(tuned: int) -> None:
    measured(tuned, [[0, 1, 0, 0], [1, 0, 0, 0]])
    with db.reading() as session:
        run = session.query(Run).order_by(Run.id.desc()).first()
        assert run is not None
        found = results.of(session, run, against=1)
        assert found is not None
        (difference,) = found.differences
        assert (difference.contestant, difference.gained, difference.lost) == (0, 1, 1)
        gained, _ = results.changed(session, run, "exact_match", 0, against=1, gained=True)
        assert [(each.number, each.first.contestant, each.second.contestant) for each in gained] == [
            (1, 1, 0)
        ]
        every, count = results.changed(session, run, "exact_match", 0, against=1, gained=None, start=2)
        assert ([each.number for each in every], count) == ([2, 3], 4)


def test_columns_that_rows_keep_beside_a_conversation_are_slices_too(tmp_path: Path, tuned: int) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [
        {"prompt": f"question {n}", "completion": f"{n}", "kind": "new" if n % 2 else "old"}
        for n in range(20)
    ]
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    folder, report = library.prepare(path, path.name)
    with db.transaction() as session:
        library.add(session, folder, report, name="Kinds")
    found = measured(tuned, [[0] * 20, [0, 1] * 10], dataset="Kinds")
    shares = {each.value: [mean.value for mean in each.means if mean] for each in found.slices}
    assert shares == {"new": [0.0, 1.0], "old": [0.0, 0.0]}


def test_an_evaluation_waits_for_a_run_that_is_not_done(database: Path) -> None:
    project = sample.load()
    with db.transaction() as session:
        maker = runs.launch(session, RunConfig(**sample.first_config(session, project).model_dump()))
        config = EvaluationConfig(contestants=[f"run:{maker.id}"], dataset=HELD_OUT, graders=["exact_match"])
        run = evaluations.launch(session, config)
        assert run.after_id == maker.id
        assert run.inputs["1"] == f"run:{maker.id}"


def test_the_criteria_of_a_use_case_are_metrics_the_one_that_decides_first(tuned: int) -> None:
    config = {"contestants": tuned, "dataset": HELD_OUT, "project": "1", "criteria": ["0", "2"]}
    with db.transaction() as session:
        run = evaluations.launch(session, EvaluationConfig(**config, graders=["contains"]))
        assert [each["name"] for each in run.graders] == ["exact_match", "json_schema", "contains"]
        assert run.graders[1]["parameters"]["json_schema"]
        assert run.project_id == 1
        alone = evaluations.launch(session, EvaluationConfig.model_validate(config | {"criteria": "1"}))
        assert [each["name"] for each in alone.graders] == ["json_fields"]
        unknown = EvaluationConfig.model_validate(config | {"criteria": [7]})
        with pytest.raises(StudioError, match="a metric"):
            evaluations.launch(session, unknown)
