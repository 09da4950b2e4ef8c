"""Templates as OpenAI's graders write them, filled from a row and an answer."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.errors import StudioError
from studio.graders import templates
from studio.graders.base import Case

CALL = {"id": "1", "type": "function", "function": {"name": "find", "arguments": {"q": "ä", "n": [1, 2]}}}
CASE = Case(
    answer='<think>hm</think>\n{"name": "Ada", "tags": ["x", "y"]}',
    reference={"name": "Ada"},
    prompt="Who?",
    messages=[{"role": "user", "content": "Who?"}],
    row={"n": 1.0, "deep": {"a-b": [{"c": True}]}, "with space": "w", "messages": ["whole"], "nothing": None},
    completion=[{"role": "assistant", "content": "x", "tool_calls": [CALL]}],
)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("plain {text} {{}", "plain {text} {{}"),
        ("{{sample.output_text}}", '{"name": "Ada", "tags": ["x", "y"]}'),
        ("{{ sample.output_json.tags[1] }}", "y"),
        ("{{ sample.output_json.tags }}", '["x", "y"]'),
        ("{{sample.output_tools[0].function.name}}", "find"),
        ("{{sample.output_tools[0].function.arguments}}", '{"q": "ä", "n": [1, 2]}'),
        ("{{sample.choices[0].message.content}}", '{"name": "Ada", "tags": ["x", "y"]}'),
        ("{{item.reference_answer}}", '{"name": "Ada"}'),
        ("{{item.reference_answer.name}}", "Ada"),
        ("{{item.n}} {{ item.deep['a-b'][0].c }}", "1.0 true"),
        ('{{item["with space"]}} {{item.deep.a-b[0].c}}', "w true"),
        ("{{item.messages[0].content}}", "Who?"),
        ("{{item.nothing}}", "null"),
        ("{prompt} {reference}", 'Who? {"name": "Ada"}'),
    ],
)
def test_a_template_is_filled(template: str, text: str) -> None:
    templates.check(template.replace("{{}", ""), "input")
    assert templates.render(template, CASE) == text


@pytest.mark.parametrize(
    ("template", "namespace"),
    [
        ("{{item.absent}}", "item"),
        ("{{item.n.deeper}}", "item"),
        ("{{item.deep[0]}}", "item"),
        ("{{sample.output_tools[1].function.name}}", "sample"),
        ("{{sample.output_json.absent}}", "sample"),
        ("{{sample.__class__}}", "sample"),
    ],
)
def test_what_is_not_there_says_where_it_lacks(template: str, namespace: str) -> None:
    with pytest.raises(templates.Missing, match=namespace):
        templates.render(template, CASE)


@pytest.mark.parametrize(
    "template", ["{{ x }}", "{{ item }}", "{{ sample.a() }}", "{{}}", "{{ item.a | upper }}"]
)
def test_a_place_that_can_never_be_filled_is_refused(template: str) -> None:
    with pytest.raises(StudioError, match="names nothing"):
        templates.check(template, "input")


@given(st.text(), st.text())
def test_a_value_is_put_in_as_it_is_and_never_read_again(answer: str, reference: str) -> None:
    case = Case(answer=answer, reference=reference or "x", row={"secret": "s"})
    assert templates.render("{answer}|{{item.reference_answer}}", case) == f"{answer}|{reference or 'x'}"


def test_an_answer_that_looks_like_a_template_stays_as_it_is() -> None:
    case = Case(answer="{{ item.secret }} {reference}", reference="r", row={"secret": "s"})
    assert templates.render("{answer} {{ sample.output_text }}", case).count("{{ item.secret }}") == 2


@given(st.text(alphabet="{}[].'\"item sample_0", max_size=80))
def test_any_template_is_filled_or_refused(template: str) -> None:
    found: Any = None
    try:
        templates.check(template, "input")
        found = templates.render(template, CASE)
    except (StudioError, templates.Missing):
        return
    assert isinstance(found, str)
