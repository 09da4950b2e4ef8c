"""What judges reply is understood however they put it."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.graders import rubric
from studio.graders.outgoing import Failed


@pytest.mark.parametrize(
    ("reply", "mark"),
    [
        ("4", 4),
        ("Score: 4", 4),
        ("The answer has 3 parts, 2 of them right.\n**Score:** 4", 4),
        ("score = 4/5", 4),
        ("Rating: [[4]]", 4),
        ('{"result": 4, "steps": []}', 4),
        ('```json\n{"steps": [{"description": "9"}], "result": 4.0}\n```', 4),
        ('{"score": "4"}', 4),
        ("<think>At first 1.\nScore: 1</think>Score: 4", 4),
        ("I would give it 4.", 4),
        ("Score: 17", 5),
        ("Score: -3", 1),
        ("1 and 4", 4),
    ],
)
def test_a_mark_is_found(reply: str, mark: float) -> None:
    assert rubric.read_mark(reply, 1, 5) == mark


@pytest.mark.parametrize("reply", ["", "good", "version v2", "<think>3", '{"result": null}'])
def test_a_reply_without_a_mark_is_a_failure(reply: str) -> None:
    with pytest.raises(Failed, match="no number"):
        rubric.read_mark(reply, 1, 5)


@given(st.text())
def test_any_reply_is_a_mark_on_the_scale_or_a_failure(reply: str) -> None:
    with suppress(Failed):
        assert 1 <= rubric.read_mark(reply, 1, 5) <= 5


@pytest.mark.parametrize(
    ("reply", "better"),
    [
        ("A", "a"),
        ("**B**", "b"),
        ("Answer B.", "b"),
        ("Better: A", "a"),
        ("A is short, B is long.\nBetter: tie", "tie"),
        ("The winner is answer B", "b"),
        ("[[A]]", "a"),
        ("Verdict: A\nNo, on reflection.\nVerdict: B", "b"),
        ("Answer A is better than Answer B.", "a"),
        ("Better: A. Answer B is a bit shorter.", "a"),
        ("Answer A is not better than B. Better: B", "b"),
        ("Answer A is short. The better answer is B.", "b"),
        ("Answer A is right. Answer B is wrong.\nFinal answer: A", "a"),
        ("My answer is B: answer B says why.", "b"),
    ],
)
def test_the_better_one_is_found(reply: str, better: str) -> None:
    assert rubric.read_better(reply) == better


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "Both have their merits.",
        "A fine answer",
        "<think>Better: A",
        "Answer A is short. Answer B is long.",
    ],
)
def test_a_reply_that_does_not_choose_is_a_failure(reply: str) -> None:
    with pytest.raises(Failed):
        rubric.read_better(reply)


@pytest.mark.parametrize(
    ("reply", "label"),
    [
        ("good", "good"),
        (" Not good. ", "not good"),
        ('{"label": "good"}', "good"),
        ("It is not good", "not good"),
        ("Not bad at all, so: good", "good"),
    ],
)
def test_the_label_is_found(reply: str, label: str) -> None:
    assert rubric.read_label(reply, ["good", "not good", "bad"]) == label


def test_a_reply_without_a_label_is_a_failure() -> None:
    with pytest.raises(Failed, match="no label"):
        rubric.read_label("goodness gracious", ["good", "bad"])
