"""What would change an answer: each flip really does, is nearest first, and is never absurd."""

import random

import pytest

from studio.guide.card import make_card, to_markdown
from studio.guide.document import load
from studio.guide.flips import AT_MOST, AT_MOST_A_FIELD, ERROR_IN_COUNTING
from studio.guide.questions import read_answers
from studio.guide.rules import Recommendation, recommend, technique_of
from tests.studio.guide.test_guide_rules import draw_answers

GUIDE = load()
LABELS = {"phase_done": 1, "main_gap": "reasoning"}


def ask(**answers) -> Recommendation:
    return recommend(read_answers(answers))


def texts(**answers) -> list[str]:
    return [flip.text for flip in ask(**answers).flips]


def test_a_flip_says_the_persons_number_and_the_one_that_would_do() -> None:
    told = texts(n_pairs=320, main_gap="preference_alignment", phase_done=2)
    assert told[0] == "With 1,000 preference pairs instead of 320 it would be DPO."


def test_what_was_not_answered_is_not_put_into_the_persons_mouth() -> None:
    assert "With 50 labelled examples it would be SFT." in texts(**LABELS)
    assert "With 50 labelled examples instead of 0 it would be SFT." in texts(n_labelled=0, **LABELS)


def test_the_nearest_threshold_is_told_where_several_would_do() -> None:
    assert "With 50 labelled examples instead of 20 it would be SFT." in texts(n_labelled=20, **LABELS)


def test_thumbs_up_and_down_are_counted_together() -> None:
    told = texts(main_gap="preference_alignment", phase_done=2, n_binary_pos=15, n_binary_neg=5)
    assert told[0] == "With 1,000 thumbs up or down instead of 20 it would be KTO."


def test_a_measured_share_a_limit_and_a_choice_are_told_in_words() -> None:
    reasoning = {"phase_done": 2, "main_gap": "reasoning", "reward": "verifiable", "n_prompts": 500}
    told = texts(metric_now=0.55, metric_target=0.75, out_tokens=700, pass_at_8=0.0, **reasoning)
    assert "If you measured 75% instead of 55% it would be No training." in told
    said = "If at least one of 8 answers were right on 1% of your prompts instead of 0% it would be GRPO."
    assert said in told
    told = texts(out_tokens=700, **reasoning)
    assert "With long answers of 4,096 tokens instead of 700 tokens it would be DAPO." in told
    told = texts(phase_done=1, main_gap="preference_alignment", n_pairs=2000)
    assert "Once training on examples (SFT) is finished and measured it would be DPO." in told


@pytest.mark.parametrize(("have", "is_told"), [(4097, True), (5100, True), (8000, False)])
def test_fewer_is_only_told_within_an_error_of_counting(have: int, is_told: bool) -> None:
    told = texts(phase_done=2, main_gap="reasoning", reward="verifiable", n_prompts=500, out_tokens=have)
    said = f"With long answers of 4,095 tokens instead of {have:,} tokens it would be GRPO."
    assert (said in told) is is_told


def test_nobody_is_told_to_go_back_or_to_know_less() -> None:
    for number, data in zip(range(400), draw_answers(random.Random(5)), strict=False):
        result = recommend(read_answers(data))
        for flip in result.flips:
            given = result.answers[flip.field]
            assert flip.value not in ("not_tested", "none"), number
            if isinstance(given, int | float) and not isinstance(given, bool):
                assert flip.value >= given * (1 - ERROR_IN_COUNTING)
            if flip.field == "phase_done":
                assert flip.value > given


def test_every_flip_gives_what_it_says_and_no_technique_comes_twice() -> None:
    fields = set()
    for data in (*(case["inputs"] for case in GUIDE.cases), *zip_of(1500)):
        result = recommend(read_answers(data))
        told = [flip.technique for flip in result.flips]
        assert len(told) == len(set(told)) <= AT_MOST
        assert result.technique not in told
        for flip in result.flips:
            changed = read_answers(result.answers | {flip.field: flip.value})
            assert technique_of(changed) == flip.technique
            assert recommend(changed).rule == flip.rule
            assert sum(other.field == flip.field for other in result.flips) <= AT_MOST_A_FIELD
            assert "{" not in flip.text
            assert flip.text.endswith(f"it would be {GUIDE.techniques[flip.technique].title}.")
            fields.add(flip.field)
    assert fields >= {"n_labelled", "n_pairs", "main_gap", "phase_done", "reward", "metric_now", "out_tokens"}


def zip_of(count: int):
    return (data for _, data in zip(range(count), draw_answers(random.Random(11)), strict=False))


def test_thresholds_of_ones_own_move_the_flips() -> None:
    guide = GUIDE.with_thresholds({"pairs_min": 400})
    answers = read_answers({"n_pairs": 320, "main_gap": "preference_alignment", "phase_done": 2})
    told = [flip.text for flip in recommend(answers, guide).flips]
    assert told[0] == "With 400 preference pairs instead of 320 it would be DPO."


def test_the_card_does_not_say_twice_what_more_data_would_bring() -> None:
    result = ask(n_pairs=320, main_gap="preference_alignment", phase_done=2)
    card = make_card(result)
    assert any(line.technique == "dpo" and line.changes_answer for line in card.unlocks)
    assert "dpo" in {flip.technique for flip in result.flips}
    assert "dpo" not in {line.technique for line in card.flips}
    assert card.flips
    assert all(line.text in to_markdown(card) for line in card.flips)


def test_a_recommendation_stored_before_there_were_flips_can_still_be_read() -> None:
    stored = ask(**LABELS).model_dump(mode="json", exclude={"flips"})
    assert Recommendation.model_validate(stored).flips == []
