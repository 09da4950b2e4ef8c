"""The answer card and the guide file it is worded from."""

import re

import pytest
from pydantic import ValidationError

from studio import techniques
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


def test_a_preference_answer_names_its_kin_and_when_each_fits():
    card = card_of(phase_done=2, main_gap="preference_alignment", n_pairs=1500, reward="verifiable")
    assert {line.technique for line in card.variants} >= {"ipo", "simpo", "relative_po", "iterative_rpo"}
    suits = {line.technique: line.suits for line in card.variants}
    assert suits["iterative_rpo"]
    assert not suits["kto"]
    assert [line.suits for line in card.variants] == sorted(suits.values(), reverse=True)
    assert all(f"{line.title}" in to_markdown(card) and line.source for line in card.variants)
    assert card_of(phase_done=1, main_gap="task_accuracy", n_labelled=800).variants == []


@pytest.mark.parametrize("name", ["dpo", "orpo", "kto", "rm_ppo"])
def test_every_variant_is_a_technique_of_the_studio_with_its_title(name):
    told = load().techniques[name].variants
    assert len({variant.technique for variant in told}) == len(told) >= 2
    for variant in told:
        assert variant.technique != name
        assert techniques.get(variant.technique).title == variant.title
        assert "arXiv" in variant.source


def test_a_variant_fits_on_one_side_of_its_condition_only():
    suits = {
        pairs: next(
            line.suits
            for line in card_of(phase_done=2, main_gap="preference_alignment", n_pairs=pairs).variants
            if line.technique == "ipo"
        )
        for pairs in (1999, 2000)
    }
    assert suits == {1999: True, 2000: False}


def test_a_threshold_that_was_changed_is_marked_with_what_is_shipped():
    guide = load().with_thresholds({"sft_min": 300})
    result = recommend(read_answers({"phase_done": 1, "main_gap": "task_accuracy", "n_labelled": 320}), guide)
    card = make_card(result)
    changed = [fact for fact in card.thresholds if fact.changed]
    assert [(fact.name, fact.value) for fact in changed] == [("Labelled examples for SFT", "300")]
    assert changed[0].source == "set in this studio, shipped as 500"
    assert len(card.thresholds) == len(load().thresholds)


def test_a_stored_answer_is_worded_with_the_thresholds_of_its_time():
    guide = load().with_thresholds({"rl_traj_full": 4000})
    answers = {"phase_done": 2, "main_gap": "reasoning", "reward": "verifiable", "n_prompts": 500}
    result = recommend(read_answers(answers), guide)
    assert any("4,000 or more" in gate.says for gate in make_card(result).gates)


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
        {"rules": [{"id": "R01", "when": "True", "recommend": "sft", "why": "-"}], "ascending": [["a", "b"]]},
        {"defaults": {}},
        {"steps": {}},
    ],
)
def test_a_guide_that_does_not_hang_together_is_not_loaded(damage):
    data = load().model_dump() | damage
    with pytest.raises(ValidationError):
        Guide.model_validate(data)
