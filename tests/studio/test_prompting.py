"""How a question is put: instruction, solved examples, template."""

import pytest
from pydantic import ValidationError

from studio.errors import StudioError
from studio.prompting import Example, Prompting, apply, fields_of

ASKED = [{"role": "system", "content": "old"}, {"role": "user", "content": "take two"}]


def test_plain_prompting_changes_nothing() -> None:
    assert apply(Prompting(), ASKED, {}) == ASKED


def test_an_instruction_takes_the_place_of_the_rows_own() -> None:
    put = apply(Prompting(system="new", template="Direction: {input}"), ASKED, {})
    assert [turn["content"] for turn in put] == ["new", "Direction: take two"]


def test_solved_examples_stand_right_before_the_question_in_the_same_template() -> None:
    how = Prompting(
        template="{kind}: {input}", examples=[Example(input="one", output="1", fields={"kind": "word"})]
    )
    put = apply(how, ASKED, {"kind": "direction"})
    assert [(turn["role"], turn["content"]) for turn in put] == [
        ("system", "old"),
        ("user", "word: one"),
        ("assistant", "1"),
        ("user", "direction: take two"),
    ]


def test_a_template_without_the_question_is_refused() -> None:
    with pytest.raises((StudioError, ValidationError), match="leaves the question out"):
        Prompting(template="Answer!")


@pytest.mark.parametrize("name", ["reference_answer", "completion", "label"])
def test_a_template_that_tells_the_answer_is_refused(name: str) -> None:
    with pytest.raises(StudioError, match="is the wanted answer"):
        Prompting(template=f"{{input}} {{{name}}}")
    assert fields_of({name: "yes", "text": "take two", "unit": "ml", "days": 3}) == {"unit": "ml", "days": 3}


def test_a_field_that_the_rows_do_not_have_is_named_with_those_they_do() -> None:
    with pytest.raises(StudioError, match="unit") as refused:
        apply(Prompting(template="{input} {unit}"), ASKED, {"dose": "2"})
    assert "input, dose" in refused.value.hint
