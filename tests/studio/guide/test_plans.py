"""Plans: every answer that is no training has one, in the person's numbers, with a day to come back."""

import re
from datetime import date
from typing import Any

import pytest

from studio.errors import NotFound
from studio.guide import document, plans, questions, rules
from studio.guide.plans import About

TODAY = date(2026, 11, 29)
PLANS = plans.load().plans
GUIDE = document.load()


def advice(**answers: Any) -> rules.Recommendation:
    return rules.recommend(questions.read_answers(answers))


def few(**more: Any) -> rules.Recommendation:
    return advice(main_gap="task_accuracy", phase_done=1, **more)


def test_every_answer_that_is_no_training_has_a_plan() -> None:
    elsewhere = {"prompt_engineering"}  # the prompt lab
    for name, technique in GUIDE.techniques.items():
        if not technique.trainable and name not in elsewhere:
            assert plans.name_for(name), name


def test_everything_a_rule_counts_can_be_collected_by_some_plan() -> None:
    collected = {field for plan in PLANS.values() for field in plan.collects}
    assert {name for name in GUIDE.fields if name.startswith("n_")} == collected


@pytest.mark.parametrize("name", PLANS)
def test_no_number_stands_in_a_text(name: str) -> None:
    plan = PLANS[name]
    texts = [
        plan.title,
        plan.lead,
        *(text for step in plan.steps for text in (step.title, step.says, step.who)),
    ]
    texts += [goal.purpose for goal in plan.goals]
    for text in texts:
        assert not re.search(r"\d", text), text


def test_no_number_has_two_homes() -> None:
    numbers = set(plans.load().numbers)
    assert not numbers & (set(GUIDE.thresholds) | set(GUIDE.fields))
    used = {
        name for plan in PLANS.values() for step in plan.steps for name in re.findall(r"{(\w+)}", step.says)
    }
    used |= {
        name for plan in PLANS.values() for step in plan.steps for name in re.findall(r"{(\w+)}", step.title)
    }
    assert numbers - used == {"month"}  # the weeks until one comes back
    assert all(number.source for number in plans.load().numbers.values())


@pytest.mark.parametrize("name", PLANS)
@pytest.mark.parametrize("about", [About(), About(("It is right",), "Directions · v2", 180)])
def test_every_step_fills_in_for_every_kind_of_person(name: str, about: About) -> None:
    for stakes in ("low", "high"):
        for gap in ("not_tested", "domain_vocabulary", "preference_alignment"):
            for reward in ("verifiable", "ai_judge", "none"):
                given = advice(stakes=stakes, main_gap=gap, phase_done=1, reward=reward, metric_target=0.9)
                steps = plans.steps(name, given, {}, about)
                assert {step.id for step in steps} <= {step.id for step in PLANS[name].steps}
                assert len(steps) == len({step.id for step in steps}) >= 4
                assert not any("{" in step.says + step.title for step in steps)


def test_the_thresholds_are_those_the_advice_was_given_with() -> None:
    guide = GUIDE.with_thresholds({"sft_min": 800})
    given = rules.recommend(
        questions.read_answers({"main_gap": "task_accuracy", "phase_done": 1, "n_labelled": 320}), guide
    )
    assert [goal.need for goal in plans.goals("labels", given, {})] == [800]


def test_the_day_is_the_sum_that_is_shown() -> None:
    given = few(n_labelled=320)
    found = plans.goals("labels", given, {})
    assert [(goal.have, goal.need, goal.missing) for goal in found] == [(320, 500, 180)]
    back = plans.come_back("labels", found, given.phase, 60, TODAY, TODAY)
    assert back.day == date(2026, 12, 20)
    assert back.why == "180 missing at 60 a week: 3 weeks, on 20 December 2026"


def test_a_week_that_is_not_full_is_a_week() -> None:
    found = plans.goals("labels", few(n_labelled=499), {})
    assert (
        plans.come_back("labels", found, 2, 60, TODAY, TODAY).why
        == "1 missing at 60 a week: 1 week, on 6 December 2026"
    )


def test_what_the_studio_counts_by_now_counts() -> None:
    given = few(n_labelled=320)
    assert plans.goals("labels", given, {"n_labelled": 410})[0].missing == 90
    assert plans.goals("labels", given, {"n_labelled": 100})[0].missing == 180
    assert "Label 90 more" in [
        step.title for step in plans.steps("labels", given, {"n_labelled": 410}, About())
    ]


def test_reaching_it_brings_one_back_at_once() -> None:
    found = plans.goals("labels", few(n_labelled=320), {"n_labelled": 500})
    assert plans.come_back("labels", found, 2, 60, TODAY, date(2026, 1, 1)).day == TODAY


def test_retrieval_comes_back_after_the_weeks_reported_for_its_phase() -> None:
    given = advice(main_gap="missing_or_changing_facts", phase_done=1)
    assert plans.choose(given, {}) == "rag"
    back = plans.come_back("rag", plans.goals("rag", given, {}), 1, 60, TODAY, date(2026, 11, 1))
    assert back.day == date(2026, 12, 13)
    assert "AWS reported" in back.why
    assert "not a forecast" in back.why


def test_no_training_comes_back_after_a_month() -> None:
    given = advice(main_gap="task_accuracy", phase_done=1, metric_now=0.9, metric_target=0.8)
    assert plans.choose(given, {}) == "no_training"
    assert plans.come_back("no_training", [], 1, 60, TODAY, TODAY).day == date(2026, 12, 27)


def test_the_nearest_count_decides_what_is_collected() -> None:
    thumbs = {"n_binary_pos": 400, "n_binary_neg": 100}
    given = advice(main_gap="preference_alignment", phase_done=2, n_pairs=320, **thumbs)
    first = plans.goals("pairs", given, {})[0]
    assert (first.have, first.need, first.purpose) == (500, 1000, "for KTO")
    assert plans.choose(advice(main_gap="task_accuracy", phase_done=2), {}) == "pairs"


def test_an_answer_to_be_trained_says_what_to_collect_next() -> None:
    assert plans.choose(few(n_labelled=320), {}) == "labels"
    full = advice(main_gap="task_accuracy", phase_done=2, n_pairs=2000)
    assert full.technique == "dpo"
    assert plans.choose(full, {}) == "ratings"


def test_nothing_to_collect_is_no_plan() -> None:
    assert plans.choose(advice(main_gap="cost_latency", phase_done=1, n_prompts=500), {}) is None


def test_classes_have_a_file_of_their_own() -> None:
    assert plans.sheets("labels", few(task_type="classification")) == ["classes"]
    assert plans.sheets("labels", few(task_type="open_generation")) == ["labels"]


def test_a_plan_that_is_not_there_is_told_in_words() -> None:
    with pytest.raises(NotFound, match="no plan “paint”"):
        plans.get("paint")
