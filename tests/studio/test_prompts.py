"""The prompt lab: versions that never change, examples never held out, figures beside the plain model."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from studio import db, evaluations, prompts, sample, use_cases
from studio.datasets import library
from studio.errors import Refused, StudioError
from studio.evaluations import EvaluationConfig
from studio.held_out import held_out_of
from studio.models import DatasetVersion, EvaluationItem, Project, Prompt, Run
from studio.prompting import Example, Prompting, apply
from studio.prompts import differences, examples, measuring
from studio.prompts.examples import Way
from studio.prompts.measuring import Measurement

LABELLED, HELD_OUT = "Medication directions: labelled", "Medication directions: held out"


@pytest.fixture
def project(database: Path) -> int:
    return sample.load()


@pytest.fixture
def session(project: int) -> Iterator[Session]:
    with db.transaction() as opened:
        yield opened


def labelled(session: Session) -> DatasetVersion:
    return library.find_version(session, LABELLED)


def made(session: Session, project: int, system: str = "Answer in JSON.", **more: Any) -> Prompt:
    return prompts.create(session, project, Prompting(system=system), **more)


def answered(session: Session, run: Run, rights: list[list[int]]) -> None:
    """`rights[contestant][question]`, on every metric of the run."""
    for contestant, row in enumerate(rights):
        for number, right in enumerate(row):
            session.add(
                EvaluationItem(
                    run_id=run.id,
                    contestant=contestant,
                    number=number,
                    take=0,
                    answer="{}",
                    scores={each["name"]: float(right) for each in run.graders},
                    seconds=0.5,
                    tokens=20,
                )
            )
    session.flush()


# ---- versions --------------------------------------------------------------------------------------------


def test_an_edit_makes_the_next_number_and_leaves_the_version_it_began_as(
    session: Session, project: int
) -> None:
    first = made(session, project, name="Short")
    second = made(session, project, "Answer in JSON, nothing else.", parent_id=first.id)
    assert [each.number for each in prompts.of(session, project)] == [2, 1]
    assert (first.prompting["system"], second.parent_id) == ("Answer in JSON.", first.id)
    assert [prompts.title(each) for each in (first, second)] == ["v1 · Short", "v2"]
    prompts.rename(session, second.id, "  Strict ")
    assert prompts.title(second) == "v2 · Strict"


def test_a_version_that_says_what_another_says_is_refused(session: Session, project: int) -> None:
    made(session, project)
    with pytest.raises(Refused, match="v1 says exactly this"):
        made(session, project, name="again")


def test_a_version_goes_only_while_nothing_used_it(session: Session, project: int) -> None:
    used, chosen, free = (made(session, project, f"Say {n}.") for n in range(3))
    measuring.launch(session, Measurement(project=project, prompts=[used.id], models=[sample.STARTER_NAME]))
    prompts.choose(session, use_cases.get(session, project), chosen.id)
    with pytest.raises(Refused, match="Evaluation 1 asked with v1"):
        prompts.remove(session, used.id)
    with pytest.raises(Refused, match="how this use case asks"):
        prompts.remove(session, chosen.id)
    prompts.remove(session, free.id)
    assert [each.number for each in prompts.of(session, project)] == [2, 1]


def test_a_version_of_another_use_case_is_not_chosen(session: Session, project: int) -> None:
    other = Project(name="Other", criteria=[])
    session.add(other)
    session.flush()
    mine = made(session, project)
    with pytest.raises(StudioError, match="another use case"):
        prompts.choose(session, other, mine.id)
    prompts.choose(session, use_cases.get(session, project), mine.id)
    prompts.choose(session, use_cases.get(session, project), None)
    assert use_cases.get(session, project).prompt_id is None


@pytest.mark.parametrize(
    ("given", "said", "field"),
    [
        ({"template": "Answer!"}, "leaves the question out", "template"),
        ({"template": "{input} {reference_answer}"}, "is the wanted answer", "template"),
        ({"examples": [{"input": "", "output": "x"}]}, "Example 1 has no question", "examples.0"),
        ({"system": "x" * 20_001}, "System: string should have", "system"),
    ],
)
def test_what_is_wrong_with_a_draft_is_named(given: dict[str, Any], said: str, field: str) -> None:
    with pytest.raises(StudioError, match=said) as refused:
        prompts.read(given)
    assert refused.value.field == field


def test_an_example_that_lacks_a_field_of_the_template_is_named(session: Session, project: int) -> None:
    lacking = Prompting(
        template="{slice}: {input}",
        examples=[
            Example(input="a", output="b", fields={"slice": "hard"}),
            Example(input="c", output="d"),
        ],
    )
    with pytest.raises(StudioError, match=r"Example 2 has no \{slice\}"):
        prompts.create(session, project, lacking)


def test_what_differs_is_said_in_words() -> None:
    one, two = Example(input="a", output="1"), Example(input="b", output="2")
    before = Prompting(system="Be short.", examples=[one, two])
    assert differences.between(before, before) == []
    after = Prompting(template="Q: {input}", examples=[two.model_copy(update={"output": "3"})])
    assert differences.between(before, after) == [
        "The instruction was taken out.",
        "The template was “{input}” and is “Q: {input}”.",
        "One example was taken out.",
        "One example was answered otherwise.",
    ]
    assert differences.between(before, before.model_copy(update={"examples": [two, one]})) == [
        "The examples stand in another order."
    ]


# ---- examples --------------------------------------------------------------------------------------------


def test_examples_come_from_rows_that_have_an_answer(session: Session, project: int) -> None:
    told = use_cases.get(session, project)
    offered = examples.sources(session, told)
    assert offered[0].title == f"{LABELLED} · v1"
    assert HELD_OUT not in [each.dataset.name for each in offered]
    (picked,) = examples.pick(session, told, labelled(session), [0])
    assert picked.input == "1 gtt to both eyes 4 times a day"
    assert picked.output.startswith('{"dose": 1')
    with pytest.raises(StudioError, match="Row 501"):
        examples.pick(session, told, labelled(session), [500])


def test_held_out_rows_are_refused_as_examples(session: Session, project: int) -> None:
    told = use_cases.get(session, project)
    held_out = held_out_of(session, told)
    assert held_out is not None
    for refuse in (
        lambda: examples.pick(session, told, held_out, [0]),
        lambda: examples.take(session, told, held_out, 2),
    ):
        with pytest.raises(Refused, match="is held out"):
            refuse()
    asked = examples.example_of(library.rows_of(held_out, 3, 1)[0])
    assert asked is not None
    by_hand = Prompting(examples=[asked.model_copy(update={"input": f"  {asked.input.upper()} "})])
    with pytest.raises(Refused, match="Example 1 is a question of"):
        prompts.create(session, project, by_hand)


def test_a_held_out_question_among_the_training_rows_is_passed_over(session: Session, project: int) -> None:
    told = use_cases.get(session, project)
    told.held_out_id = labelled(session).id
    session.flush()
    other = library.find_version(session, "Medication directions: prompts")
    known = {examples.example_of(row).input for row in library.rows_of(labelled(session), 0, 500)}  # type: ignore[union-attr]
    taken = examples.take(session, told, other, 5)
    assert not known & {each.input for each in taken}


def test_the_same_seed_takes_the_same_examples_and_never_one_twice(session: Session, project: int) -> None:
    told, version = use_cases.get(session, project), labelled(session)
    for way in Way:
        first = examples.take(session, told, version, 6, way, seed=3)
        assert examples.take(session, told, version, 6, way, seed=3) == first
        assert examples.take(session, told, version, 6, way, seed=4) != first
        more = examples.take(session, told, version, 6, way, seed=3, without=first)
        assert len({each.input for each in [*first, *more]}) == 12


def test_diverse_examples_share_fewer_words_than_random_ones(session: Session, project: int) -> None:
    told, version = use_cases.get(session, project), labelled(session)

    def shared(way: Way) -> float:
        taken = [set(each.input.split()) for each in examples.take(session, told, version, 8, way, seed=1)]
        pairs = [(a, b) for at, a in enumerate(taken) for b in taken[at + 1 :]]
        return sum(len(a & b) / len(a | b) for a, b in pairs) / len(pairs)

    assert shared(Way.DIVERSE) < shared(Way.RANDOM) / 2


# ---- measuring -------------------------------------------------------------------------------------------


def test_a_version_is_measured_beside_the_plain_model_by_the_criteria(session: Session, project: int) -> None:
    version = made(session, project)
    run = measuring.launch(
        session, Measurement(project=project, prompts=version.id, models=sample.STARTER_NAME)
    )
    assert evaluations.names(run) == [sample.STARTER_NAME, f"{sample.STARTER_NAME}, v1"]
    assert prompts.asked_with(run) == [None, version.id]
    assert run.parameters["contestants"][1]["prompting"] == version.prompting
    assert [each["name"] for each in run.graders] == ["exact_match", "json_fields", "json_schema"]
    assert run.held_out is not None
    assert run.held_out.dataset.name == HELD_OUT
    told = use_cases.get(session, project)
    assert measuring.of(session, told) == []
    answered(session, run, [[0] * 40, [1] * 30 + [0] * 10])
    plain, prompted = measuring.of(session, told)
    assert (plain.prompt_id, prompted.prompt_id) == (None, version.id)
    assert plain.told.differences == {}
    difference = prompted.told.differences["exact_match"]
    assert (difference.verdict, difference.change.value) == ("better", 0.75)
    assert prompted.told.means["exact_match"].value == 0.75
    assert (prompted.told.cost.seconds, prompted.told.cost.tokens) == (0.5, 20)


def test_versions_are_compared_where_they_answered_the_same_questions(session: Session, project: int) -> None:
    first, second, third = (made(session, project, f"Say {n}.") for n in range(3))
    run = measuring.launch(
        session,
        Measurement(project=project, prompts=[first.id, second.id], models=[sample.STARTER_NAME]),
    )
    answered(session, run, [[0] * 40, [1] * 20 + [0] * 20, [1] * 40])
    found = measuring.compared(session, first, second)
    assert found is not None
    assert found[0].id == run.id
    ((model, difference),) = found[1]
    assert (model, difference.verdict, difference.change.value) == (sample.STARTER_NAME, "better", 0.5)
    assert measuring.compared(session, first, third) is None


def test_what_is_missing_or_too_much_is_said_before_anything_is_queued(
    session: Session, project: int
) -> None:
    several = [made(session, project, f"Say {n}.").id for n in range(8)]
    for given, said in (
        ({"models": [sample.STARTER_NAME]}, "Choose a version first"),
        ({"prompts": several[:1]}, "Choose a model first"),
        ({"prompts": several, "models": [sample.STARTER_NAME]}, "more than the 8 contestants"),
    ):
        with pytest.raises(StudioError, match=said):
            measuring.launch(session, Measurement.model_validate({"project": project, **given}))
    told = use_cases.get(session, project)
    told.criteria = []
    with pytest.raises(StudioError, match="Nothing measures"):
        measuring.launch(
            session, Measurement(project=project, prompts=several[:1], models=[sample.STARTER_NAME])
        )


def test_criteria_of_one_grader_are_told_apart(session: Session, project: int) -> None:
    told = use_cases.get(session, project)
    same = {"grader": {"grader": "exact_match"}}
    told.criteria = [{"name": "a", **same}, {"name": "b"}, {"name": "c", **same}]
    assert [each.name for each in measuring.metrics(told)] == ["exact_match", "exact_match 2"]


def test_any_evaluation_may_ask_in_a_version(session: Session, project: int) -> None:
    version = made(session, project)
    contestant = {"model": sample.STARTER_NAME, "prompt": version.id}
    config = {"contestants": [contestant], "dataset": HELD_OUT, "graders": ["exact_match"]}
    run = evaluations.launch(session, EvaluationConfig.model_validate(config))
    assert run.project_id == project
    assert prompts.evaluations_with(session, version) == [run]
    both = {"contestants": [contestant | {"prompting": {"system": "Otherwise."}}]}
    with pytest.raises(StudioError, match="or in a prompting of its own"):
        evaluations.launch(session, EvaluationConfig.model_validate(config | both))
    with pytest.raises(StudioError, match="another use case"):
        evaluations.launch(session, EvaluationConfig.model_validate(config | {"project": project + 1}))


def test_an_evaluation_refuses_examples_that_it_asks_about(session: Session, project: int) -> None:
    held_out = held_out_of(session, use_cases.get(session, project))
    assert held_out is not None
    asked = examples.example_of(library.rows_of(held_out, 0, 1)[0])
    assert asked is not None
    told = {"model": sample.STARTER_NAME, "prompting": Prompting(examples=[asked])}
    config = EvaluationConfig(contestants=[told], dataset=HELD_OUT, graders=["exact_match"])  # type: ignore[list-item]
    with pytest.raises(Refused, match="Example 1 is a question of"):
        evaluations.launch(session, config)


def test_a_row_may_have_a_json_answer() -> None:
    row = {"prompt": "take two", "reference_answer": {"dose": 2}, "slice": "plain"}
    found = examples.example_of(row)
    assert found is not None
    assert (found.output, found.fields) == ('{"dose":2}', {"slice": "plain"})
    put = apply(Prompting(template="{slice}: {input}"), [{"role": "user", "content": "take two"}], row)
    assert put[-1]["content"] == "plain: take two"


def test_a_criterion_that_waits_for_its_judge_keeps_no_other_from_being_measured(database: Path) -> None:
    number = sample.load("engineering_questions")
    with db.transaction() as session:
        version = prompts.create(session, number, Prompting(system="Answer briefly."))
        run = measuring.launch(
            session, Measurement(project=number, prompts=[version.id], models=[sample.STARTER_NAME])
        )
        assert [each["name"] for each in run.graders] == ["rouge", "regex"]
