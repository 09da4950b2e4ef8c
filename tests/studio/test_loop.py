"""What a measured step says about the next one: every rule on both sides of each of its conditions."""

from typing import Any

import pytest

from studio.errors import StudioError
from studio.guide import document, loop
from studio.guide.loop import Facts

GUIDE = document.load()
# A supervised step that gained, is below its target, and has nothing further to learn from.
STEP: dict[str, Any] = {
    "subject": "the SFT model",
    "phase": 2,
    "asked": 300,
    "unasked": 300,
    "target": 0.85,
    "now": 0.77,
    "low": 0.72,
    "high": 0.81,
    "against": "the prompt",
    "verdict": "better",
    "change": 0.4,
    "change_low": 0.3,
    "change_high": 0.5,
    "base": "the base",
    "base_verdict": "better",
}
OPEN = {"verdict": "open", "change": 0.01, "change_low": -0.01, "change_high": 0.03}
NEAR = {"now": 0.86, "low": 0.82, "high": 0.9, "to_target": 500}
CHECKED = {"reward": "verifiable", "n_prompts": 1200}


def advise(**known: Any) -> loop.Advice:
    return loop.advise(Facts(**STEP | known))


# (rule, facts that make it decide, one change to them, the rule that decides then)
SIDES: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("L01", {"base_verdict": "worse"}, {"base_verdict": "open"}, "L99"),
    ("L02", {"verdict": "worse"}, {"verdict": "open"}, "L99"),
    ("L03", {"now": 0.9, "low": 0.85}, {"low": 0.849}, "L05"),
    ("L03", {"now": 0.9, "low": 0.85}, {"target": None}, "L99"),
    ("L04", NEAR, {"to_target": 601}, "L05"),
    ("L04", NEAR, {"to_target": None}, "L05"),
    ("L04", NEAR, {"target": None}, "L99"),
    ("L04", NEAR | {"now": 0.85}, {"now": 0.849}, "L99"),
    ("L05", NEAR | {"unasked": 0}, {"now": 0.849}, "L99"),
    ("L05", NEAR | {"unasked": 199}, {"unasked": 200}, "L04"),
    ("L05", NEAR | {"unasked": 199}, {"target": None}, "L99"),
    ("L06", OPEN | {"needed": 600}, {"needed": 601}, "L99"),
    ("L06", OPEN | {"needed": 600}, {"needed": None}, "L99"),
    ("L06", OPEN | {"needed": 600}, {"verdict": "better"}, "L99"),
    ("L07", {"phase": 1, "n_labelled": 500}, {"n_labelled": 499}, "L08"),
    ("L07", {"phase": 1, "n_labelled": 500}, {"phase": 2}, "L99"),
    ("L08", {"phase": 0, "n_labelled": 50}, {"n_labelled": 49}, "L99"),
    ("L08", {"phase": 1, "n_labelled": 50}, {"phase": 2}, "L99"),
    ("L09", CHECKED | {"pass_at_8": 0.0, "n_labelled": 50}, {"pass_at_8": 0.01}, "L13"),
    ("L09", CHECKED | {"pass_at_8": 0.0, "n_labelled": 50}, {"pass_at_8": None}, "L12"),
    ("L09", CHECKED | {"pass_at_8": 0.0, "n_labelled": 50}, {"n_labelled": 49}, "L99"),
    ("L09", CHECKED | {"pass_at_8": 0.0, "n_labelled": 50}, {"reward": "ai_judge"}, "L99"),
    ("L10", OPEN | {"n_pairs": 1000}, {"verdict": "better"}, "L11"),
    ("L10", OPEN | {"n_pairs": 1000}, {"n_pairs": 999}, "L99"),
    ("L10", OPEN | {"n_pairs": 1000}, {"phase": 3}, "L99"),
    ("L11", {"n_pairs": 1000}, {"n_pairs": 999}, "L99"),
    ("L11", {"n_pairs": 1000}, {"phase": 3}, "L99"),
    ("L12", CHECKED | {"n_prompts": 100}, {"n_prompts": 99}, "L99"),
    ("L12", CHECKED, {"phase": 4}, "L99"),
    ("L12", CHECKED, {"reward": "ai_judge"}, "L99"),
    ("L12", CHECKED, {"pass_at_8": 0.3}, "L13"),
    ("L13", CHECKED | {"pass_at_8": 0.3, "n_prompts": 100}, {"n_prompts": 99}, "L99"),
    ("L13", CHECKED | {"pass_at_8": 0.3}, {"pass_at_8": 0.0}, "L99"),
    ("L13", CHECKED | {"pass_at_8": 0.3, "phase": 3}, {"phase": 4}, "L99"),
    ("L13", CHECKED | {"pass_at_8": 0.3}, {"reward": "human_only"}, "L99"),
]


@pytest.mark.parametrize(("rule", "known", "changed", "then"), SIDES)
def test_a_rule_decides_on_one_side_of_its_condition_only(
    rule: str, known: dict[str, Any], changed: dict[str, Any], then: str
) -> None:
    assert advise(**known).rule == rule
    assert advise(**known | changed).rule == then


def test_every_rule_is_tried_on_both_sides() -> None:
    assert {rule for rule, *_ in SIDES} == {rule.id for rule in GUIDE.loop.rules} - {"L99"}


def test_rules_and_words_mention_only_what_is_measured() -> None:
    facts, thresholds = set(Facts.model_fields), set(GUIDE.thresholds)
    for rule in GUIDE.loop.rules:
        assert rule.expression.names <= facts
        assert rule.expression.thresholds <= thresholds
        assert not rule.items or rule.items in facts
    assert set(GUIDE.loop.standing) == {"none", "better", "worse", "open"}
    assert GUIDE.loop.rules[-1].when == "True"


def test_the_words_are_in_the_persons_own_numbers() -> None:
    advice = advise(n_pairs=1200)
    assert advice.standing == (
        "“the SFT model” scores 77% on 300 questions (72% to 81%): +40 points over “the prompt” "
        "(+30 to +50), a gain."
    )
    assert "You have 1,200 preference pairs, and 1,000 are enough for DPO." in advice.says
    assert advice.word == "Set up DPO"


def test_no_words_are_left_unfilled() -> None:
    for _, known, changed, _ in SIDES:
        for advice in (advise(**known), advise(**known | changed)):
            said = " ".join((advice.title, advice.standing, advice.says, advice.word))
            assert "{" not in said
            assert "None" not in said


def test_a_threshold_of_ones_own_counts_and_is_said() -> None:
    guide = GUIDE.with_thresholds({"pairs_min": 200})
    advice = loop.advise(Facts(**STEP | {"n_pairs": 200}), guide)
    assert (advice.rule, advice.technique) == ("L11", "dpo")
    assert "200 are enough" in advice.says
    with pytest.raises(StudioError):
        GUIDE.with_thresholds({"pairs": 200})


@pytest.mark.parametrize(
    ("built", "technique"),
    [
        ({"arch": "moe"}, "gspo"),
        ({"arch": "dense", "out_tokens": 4096}, "dapo"),
        ({"arch": "dense", "out_tokens": 4095}, "grpo"),
    ],
)
def test_the_kind_of_reinforcement_follows_architecture_and_length(
    built: dict[str, Any], technique: str
) -> None:
    assert advise(**CHECKED, pass_at_8=0.3, **built).technique == technique


def test_how_many_questions_to_ask_comes_from_the_figures() -> None:
    assert (advise(**NEAR).do, advise(**NEAR).items) == ("measure", 500)
    assert (advise(**OPEN, needed=450).do, advise(**OPEN, needed=450).items) == ("measure", 450)


def test_the_trace_ends_with_the_rule_that_decided_and_shows_what_it_looked_at() -> None:
    advice = advise(n_pairs=1000)
    assert advice.trace[-1].rule == advice.rule
    assert [each.held for each in advice.trace] == [False] * (len(advice.trace) - 1) + [True]
    assert advice.trace[-1].looked_at == {"n_pairs": 1000, "phase": 2}
