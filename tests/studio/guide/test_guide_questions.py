"""The eight questions and the reading of answers."""

from typing import Any

import pytest

from studio.errors import StudioError
from studio.guide.document import load
from studio.guide.questions import Answers, describe_allowed, get_question, list_steps, read_answers

FIELDS = list(load().fields)


def test_there_are_eight_steps_and_every_field_is_asked_once():
    steps = list_steps()
    assert [step.id for step in steps] == [f"Q{n}" for n in range(1, 9)]
    assert [field for step in steps for field in step.fields] == FIELDS
    assert all(step.title and step.help for step in steps)


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_has_plain_words(field):
    question = get_question(field)
    assert question.title
    assert question.help
    assert question.example
    assert all(option.label and option.help and option.phrase for option in question.options)


@pytest.mark.parametrize("field", FIELDS)
def test_unknown_is_always_an_answer_and_means_the_default(field):
    answers = read_answers({field: None})
    assert getattr(answers, field) == load().defaults[field]
    assert answers.model_fields_set == set()


@pytest.mark.parametrize("field", FIELDS)
def test_both_ends_of_a_field_are_accepted(field):
    question = get_question(field)
    ends: list[Any] = [option.value for option in question.options] or [question.min, question.max]
    for value in [True, False] if question.kind == "yes_no" else ends:
        whole = int(value) if question.kind == "whole" else value
        assert getattr(read_answers({field: whole}), field) == value


@pytest.mark.parametrize("field", FIELDS)
def test_a_wrong_answer_names_its_field_and_what_is_allowed(field):
    question = get_question(field)
    wrong: list[Any] = ["no such answer", [], {}, "yes" if question.kind == "yes_no" else True]
    if question.min is not None and question.max is not None:
        wrong += [question.max + 1, question.min - 1, float("nan"), float("inf")]
    if question.kind == "whole":
        wrong.append(1.5)
    for value in wrong:
        with pytest.raises(StudioError) as caught:
            read_answers({field: value})
        assert caught.value.field == field
        assert field in caught.value.message
        assert describe_allowed(field) in caught.value.hint


def test_an_unknown_field_suggests_near_ones():
    with pytest.raises(StudioError) as caught:
        read_answers({"n_labeled": 3})
    assert caught.value.field == "n_labeled"
    assert "n_labelled" in caught.value.hint


def test_a_field_like_no_other_lists_all_fields():
    with pytest.raises(StudioError) as caught:
        read_answers({"zzz": None})
    assert all(field in caught.value.hint for field in FIELDS)


@pytest.mark.parametrize("data", [None, [], "text", 3])
def test_answers_must_be_an_object(data):
    with pytest.raises(StudioError):
        read_answers(data)


def test_the_schema_carries_titles_bounds_options_and_defaults():
    properties = Answers.model_json_schema()["properties"]
    assert properties["stakes"]["enum"] == ["low", "medium", "high"]
    assert properties["n_pairs"]["minimum"] == 0
    assert {name: part["default"] for name, part in properties.items()} == load().defaults
