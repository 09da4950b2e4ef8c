"""The answer card and the guide file it is worded from."""

import re

import pytest
from pydantic import ValidationError

from studio.guide.card import make_card, to_markdown
from studio.guide.document import Guide, load
from studio.guide.questions import read_answers
from studio.guide.rules import recommend


def card_of(**answers):
    return make_card(recommend(read_answers(answers)))


def test_a_card_says_what_more_data_would_unlock():
    card = card_of(phase_done=2, main_gap="preference_alignment", n_pairs=320)
    dpo = next(line for line in card.unlocks if line.technique == "dpo")
    assert dpo.text == "DPO: you have 320 preference pairs, you need 1,000."
    assert dpo.share == pytest.approx(0.32)
    assert dpo.changes_answer


def test_a_card_says_what_is_missing_for_the_recommended_technique():
    card = card_of(phase_done=1, main_gap="task_accuracy", n_labelled=320)
    assert card.missing == ["You have 320 of 500 labelled examples: 180 more for a full SFT run."]


def test_aws_figures_are_labelled_as_reported_and_as_no_forecast():
    card = card_of(phase_done=1, main_gap="task_accuracy", n_labelled=800)
    assert "AWS reported" in card.benchmark_label
    assert "Not a forecast" in card.benchmark_label
    assert all(fact.source == "AWS-reported" for fact in card.benchmark)
    assert card.benchmark_label in to_markdown(card)


@pytest.mark.parametrize(("stakes", "gated"), [("high", True), ("medium", False)])
def test_high_stakes_bring_gates(stakes, gated):
    card = card_of(phase_done=1, main_gap="task_accuracy", n_labelled=800, stakes=stakes)
    assert any(gate.checks for gate in card.gates) is gated
    assert ("## Before going live" in to_markdown(card)) is gated


def test_start_parameters_come_with_their_sources():
    card = card_of(phase_done=2, main_gap="reasoning", reward="verifiable", n_prompts=500, out_tokens=9000)
    assert {fact.name for fact in card.start_params} >= {"epsilon", "epsilon_high"}
    assert all(fact.source for fact in card.start_params)


def test_the_markdown_holds_everything_on_the_card():
    card = card_of(phase_done=1, main_gap="preference_alignment", n_pairs=100, stakes="high")
    text = to_markdown(card)
    for said in [card.title, card.next_step, *card.why, *card.missing, *(out.why for out in card.ruled_out)]:
        assert said in text


def test_the_low_ends_agree_with_the_words_aws_used():
    for phase in load().phases.values():
        usd = re.match(r"\$(\d+)K", phase.investment)
        weeks = re.match(r"\d+", phase.weeks)
        assert usd is not None
        assert weeks is not None
        assert phase.usd_low == int(usd.group(1)) * 1000
        assert phase.weeks_low == int(weeks.group())


def test_every_technique_has_words_and_a_way_on():
    for technique in load().techniques.values():
        assert technique.title
        assert technique.meaning.endswith(".")
        assert technique.trainable is bool(technique.run_as)
        assert all(param.source for param in technique.start_params.values())


@pytest.mark.parametrize(
    "damage",
    [
        {"rules": [{"id": "R01", "when": "True", "recommend": "alchemy", "why": "-"}]},
        {"rules": [{"id": "R01", "when": "n_gold > 1", "recommend": "sft", "why": "-"}]},
        {"rules": [{"id": "R01", "when": "n_pairs > T['gold']", "recommend": "sft", "why": "-"}]},
        {"rules": [{"id": "R01", "when": "print(1)", "recommend": "sft", "why": "-"}]},
        {"defaults": {}},
        {"steps": {}},
    ],
)
def test_a_guide_that_does_not_hang_together_is_not_loaded(damage):
    data = load().model_dump() | damage
    with pytest.raises(ValidationError):
        Guide.model_validate(data)
