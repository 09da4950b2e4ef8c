"""What the guide decides: the worked cases, both sides of every threshold, and any answers at all."""

import ast
import itertools
import random
from typing import Any

import pytest

from studio.errors import StudioError
from studio.guide import words
from studio.guide.card import make_card, to_markdown
from studio.guide.document import load
from studio.guide.questions import Answers, read_answers
from studio.guide.rules import find_phase_for_target, recommend, technique_of

GUIDE = load()
LIMITS = GUIDE.limits
TECHNIQUES = {
    "sft",
    "cpt",
    "dpo",
    "orpo",
    "kto",
    "rm_ppo",
    "rlaif",
    "grpo",
    "dapo",
    "gspo",
    "distillation",
    "embedding_ft",
    "feature_classifier",
    "prompt_engineering",
    "no_training",
    "rag",
    "collect_labels",
    "collect_preferences",
}
CODES = {rule.id: compile(rule.when, rule.id, "eval") for rule in GUIDE.rules}


def expected_rule(values, limits=LIMITS):
    """An oracle of its own: Python itself reads the rules (of our own file, never of a user)."""
    scope = {"T": limits, **values}
    return next(rule.id for rule in GUIDE.rules if eval(CODES[rule.id], {"__builtins__": {}}, scope))


def ask(**answers):
    return recommend(read_answers(answers))


def why_not(recommendation, technique):
    return next(out.why for out in recommendation.ruled_out if out.technique == technique)


@pytest.mark.parametrize("case", GUIDE.cases, ids=lambda case: case["id"])
def test_a_worked_case_comes_out_as_written(case):
    result = recommend(read_answers(case["inputs"]))
    expected = dict(case["expected"])
    assert result.technique not in expected.pop("must_not_recommend")
    assert expected.pop("reason") in result.reasons
    assert {key: getattr(result, key) for key in expected} == expected


@pytest.mark.parametrize("check", GUIDE.edge_checks, ids=lambda check: check["name"])
def test_an_edge_check_comes_out_as_written(check):
    result = recommend(read_answers(check["inputs"]))
    assert (result.technique, result.rule) == (check["expected_technique"], check["rule"])


def test_the_techniques_are_the_guides():
    assert set(GUIDE.techniques) == TECHNIQUES
    assert {member.technique for rule in GUIDE.rules for member in GUIDE.family(rule)} == TECHNIQUES


# --- both sides of every threshold, from the rules themselves ---


def list_boundaries():
    """(rule, field, operator, threshold) of each comparison of an answer with a number in each rule."""
    for rule in GUIDE.rules:
        for node in ast.walk(ast.parse(rule.when, mode="eval")):
            if isinstance(node, ast.Compare) and isinstance(
                node.ops[0], ast.Lt | ast.LtE | ast.Gt | ast.GtE | ast.Eq
            ):
                right = node.comparators[0]
                if isinstance(right, ast.Subscript):
                    limit = LIMITS[ast.literal_eval(right.slice)]
                elif isinstance(right, ast.Constant) and isinstance(right.value, int):
                    limit = right.value
                else:
                    continue
                for name in [part.id for part in ast.walk(node.left) if isinstance(part, ast.Name)]:
                    yield pytest.param(rule, name, type(node.ops[0]), limit, id=f"{rule.id}-{name}-{limit}")


def satisfying(rule):
    """Answers under which the rule decides, from the thresholds its own text mentions."""
    candidates: dict[str, list[Any]] = {}
    for name in sorted(rule.expression.names):
        question = GUIDE.fields[name]
        if question.options:
            candidates[name] = [option.value for option in question.options]
        elif question.kind == "share":
            candidates[name] = [None, 0.0, 0.5]
        elif name == "latency_ms_max":
            candidates[name] = [None, LIMITS["scale_latency_ms"]]
        else:
            candidates[name] = [0, 1, *sorted({LIMITS[name] for name in rule.expression.thresholds})]
    base = GUIDE.defaults | {"phase_done": 1}
    for values in itertools.product(*candidates.values()):
        answers = base | dict(zip(candidates, values, strict=True))
        if expected_rule(answers) == rule.id:
            yield answers


STEP = {"share": 0.001, "number": 0.001}
INSIDE = {ast.Lt: -1, ast.LtE: 0, ast.Gt: 1, ast.GtE: 0, ast.Eq: 0}
OUTSIDE = {ast.Lt: 0, ast.LtE: 1, ast.Gt: 0, ast.GtE: -1, ast.Eq: 1}


@pytest.mark.parametrize(("rule", "name", "op", "limit"), list(list_boundaries()))
def test_a_rule_decides_on_one_side_of_its_threshold_only(rule, name, op, limit):
    step = STEP.get(GUIDE.fields[name].kind, 1)
    tried = 0
    for answers in satisfying(rule):
        rest = answers["n_binary_neg" if name == "n_binary_pos" else "n_binary_pos"]
        at = limit - rest if name.startswith("n_binary") and limit > 1 else limit
        inside, outside = (answers | {name: at + step * side[op]} for side in (INSIDE, OUTSIDE))
        if inside[name] < 0 or outside[name] < 0 or expected_rule(inside) != rule.id:
            continue
        if expected_rule(outside) == rule.id:  # the other half of an `or` still holds
            continue
        tried += 1
        assert recommend(read_answers(inside)).rule == rule.id
        other = recommend(read_answers(outside))
        assert other.rule == expected_rule(outside)
        assert not next(tried.matched for tried in other.trace if tried.rule == rule.id)
    assert tried > 0


@pytest.mark.parametrize(("now", "rule"), [(0.799, "R19"), (0.8, "R02"), (0.801, "R02")])
def test_the_target_is_met_from_the_target_on(now, rule):
    answers = {"phase_done": 1, "main_gap": "task_accuracy", "n_labelled": 900, "metric_target": 0.8}
    assert ask(metric_now=now, **answers).rule == rule


@pytest.mark.parametrize(
    ("arch", "out_tokens", "technique"),
    [("dense", 4095, "grpo"), ("dense", 4096, "dapo"), ("moe", 4095, "gspo"), ("moe", 4096, "gspo")],
)
def test_architecture_and_length_choose_the_reinforcement_method(arch, out_tokens, technique):
    answers = {"phase_done": 2, "main_gap": "reasoning", "reward": "verifiable", "n_prompts": 100}
    assert ask(arch=arch, out_tokens=out_tokens, **answers).technique == technique


@pytest.mark.parametrize(
    ("target", "phase"), [(None, None), (0, 1), *GUIDE.target_to_phase, (0.7501, 2), (0.93, 4)]
)
def test_a_target_has_the_first_phase_that_reaches_it(target, phase):
    assert find_phase_for_target(GUIDE, target) == phase


@pytest.mark.parametrize(("prompts", "pilot"), [(9_999, True), (10_000, False)])
def test_reinforcement_on_few_prompts_is_called_a_pilot(prompts, pilot):
    result = ask(phase_done=2, main_gap="reasoning", reward="verifiable", n_prompts=prompts)
    assert ("M6_pilot_scale" in result.flags) is pilot
    assert result.data_gap == ({"trajectories_for_full_programme": 1} if pilot else {})


# --- any answers at all ---


def draw_answers(chance):
    """Random answers from options, bounds, thresholds and their neighbours; a third is left unknown."""
    limits = sorted({int(value) for value in LIMITS.values()})
    near = [value + shift for value in limits for shift in (-1, 0, 1)]
    pools: dict[str, list[Any]] = {}
    for name, question in GUIDE.fields.items():
        if question.options:
            pools[name] = [option.value for option in question.options]
        elif question.kind == "yes_no":
            pools[name] = [True, False]
        elif question.kind == "share":
            pools[name] = [0.0, 0.001, 0.5, 0.75, 0.85, 0.92, 1.0]
        else:
            low, high = question.min or 0, question.max or 0
            ends = [int(low), int(high)] if question.kind == "whole" else [low, high]
            pools[name] = ends + [value for value in near if low <= value <= high]
    while True:
        yield {name: chance.choice(pool) if chance.random() > 0.33 else None for name, pool in pools.items()}


def test_any_answers_give_one_recommendation_with_a_reason_and_a_next_step():
    rules, techniques = set(), set()
    for number, data in zip(range(20_000), draw_answers(random.Random(2)), strict=False):
        answers = Answers.model_validate(data)
        result = recommend(answers)
        rules.add(result.rule)
        techniques.add(result.technique)
        assert result.rule == expected_rule(result.answers)
        assert result.technique == technique_of(answers)
        assert [tried.rule for tried in result.trace if tried.decided] == [result.rule]
        assert all(result.reasons)
        assert len(result.reasons) >= 1
        assert result.next_step
        assert {out.technique for out in result.ruled_out} == TECHNIQUES - {result.technique}
        assert all(missing > 0 for missing in result.data_gap.values())
        if number % 40 == 0:
            text = to_markdown(make_card(result))
            assert "{" not in text
            assert "None" not in text
            assert type(result).model_validate_json(result.model_dump_json()) == result
            for flip in result.flips:
                other = read_answers(result.answers | {flip.field: flip.value})
                assert technique_of(other) == flip.technique
    assert techniques == TECHNIQUES
    assert rules >= {rule.id for rule in GUIDE.rules} - {"R08", "R11", "R14", "R21", "R22", "R24"}


@pytest.mark.parametrize("rule", GUIDE.rules, ids=lambda rule: rule.id)
def test_every_rule_can_decide(rule):
    assert recommend(read_answers(next(satisfying(rule)))).rule == rule.id


def test_every_condition_of_every_rule_has_words():
    for answers in (GUIDE.defaults, *(GUIDE.defaults | case["inputs"] for case in GUIDE.cases)):
        for route in GUIDE.routes:
            for condition in route.conditions:
                words.say_met(GUIDE, condition, answers)
                if condition.source != "True":
                    assert all(words.say_unmet(GUIDE, condition, answers))


# --- what it says ---


def test_what_is_ruled_out_is_explained_in_the_persons_numbers():
    result = ask(phase_done=2, main_gap="preference_alignment", n_pairs=320)
    assert why_not(result, "dpo") == "DPO needs 1,000 preference pairs; you have 320."
    assert why_not(result, "rag").endswith("you said the problem is tone, style or safety.")


def test_a_technique_that_also_fits_says_which_rule_came_first():
    result = ask(phase_done=1, main_gap="preference_alignment", n_pairs=2000, n_labelled=800)
    assert why_not(result, "orpo") == "ORPO would fit too (R12), but SFT comes first in the guide (R11)."


def test_a_last_resort_says_what_the_nearest_methods_lacked():
    result = ask(phase_done=2, main_gap="preference_alignment", n_pairs=320)
    assert result.technique == "collect_preferences"
    assert "DPO needs 1,000 preference pairs; you have 320." in result.reasons


def test_reasons_begin_with_the_rule_and_go_on_with_the_numbers():
    result = ask(phase_done=2, main_gap="preference_alignment", n_pairs=1200)
    assert result.reasons[0] == "Tone/style/safety issue, pairs available, SFT checkpoint exists"
    assert "You have 1,200 preference pairs; at least 1,000 are needed." in result.reasons


def test_an_unlock_that_changes_the_answer_really_does():
    result = ask(phase_done=2, main_gap="preference_alignment", n_pairs=320, n_ratings=999)
    for unlock in result.unlocks:
        field = unlock.fields[0]
        more = result.answers | {field: result.answers[field] + unlock.missing}
        assert (recommend(read_answers(more)).technique == unlock.technique) is unlock.changes_answer
    assert {unlock.technique for unlock in result.unlocks} >= {"dpo", "rm_ppo"}


def test_the_trace_shows_each_rule_with_the_values_it_looked_at():
    result = ask(phase_done=1, main_gap="task_accuracy", n_labelled=600)
    assert [tried.rule for tried in result.trace] == [rule.id for rule in GUIDE.rules]
    r19 = next(tried for tried in result.trace if tried.rule == "R19")
    assert r19.decided
    assert r19.looked_at == {"main_gap": "task_accuracy", "phase_done": 1, "n_labelled": 600}


def test_answers_left_open_that_mattered_are_listed_as_assumed():
    result = ask(phase_done=1, main_gap="task_accuracy")
    assert "n_labelled" in result.assumed
    assert "main_gap" not in result.assumed
    assert "n_domain_tokens_m" not in result.assumed


def test_measuring_comes_first_when_nothing_was_tested_after_a_phase():
    result = ask(phase_done=1)
    assert result.technique == "collect_labels"
    assert result.next_step.startswith("Measure first")


def test_a_studio_can_set_its_own_thresholds():
    guide = GUIDE.with_thresholds({"sft_min": 300})
    answers = read_answers({"phase_done": 1, "main_gap": "task_accuracy", "n_labelled": 320})
    assert recommend(answers).rule == "R24"
    result = recommend(answers, guide)
    assert result.rule == "R19"
    assert result.thresholds["sft_min"] == 300
    assert "You have 320 labelled examples; at least 300 are needed." in result.reasons


@pytest.mark.parametrize(
    "changed",
    [
        {"sft_minimum": 3},
        {"sft_min": -1},
        {"sft_min": 0},
        {"sft_min": "3"},
        {"sft_min": True},
        {"sft_min": 0.5},
        {"sft_min": float("inf")},
        {"sft_min": 5001},
        {"pairs_max": 999},
    ],
)
def test_a_threshold_it_cannot_take_is_refused_by_name(changed):
    with pytest.raises(StudioError) as caught:
        GUIDE.with_thresholds(changed)
    assert caught.value.field in changed


def test_thresholds_may_be_equal_and_one_counts_in_parts():
    changed = {"sft_min": 5000, "sft_max": 5000, "cpt_tokens_m_min": 0.5}
    assert changed.items() <= GUIDE.with_thresholds(changed).limits.items()
    assert GUIDE.with_thresholds({"sft_min": 500}).thresholds["sft_min"] == GUIDE.thresholds["sft_min"]


def test_a_model_of_less_than_a_gigabyte_fits_machines_without_a_gpu():
    answers = {"phase_done": 1, "main_gap": "task_accuracy", "n_labelled": 800, "gpu_gb": 0}
    small, large = (ask(params_b=size, **answers).cautions for size in (0.001, 0.5))
    assert not any("16 bits" in said for said in small)
    assert any("16 bits" in said for said in large)


def test_cautions_tell_of_a_budget_below_what_aws_reported():
    answers = {"phase_done": 1, "main_gap": "task_accuracy", "n_labelled": 600}
    low, enough = (ask(budget_usd=usd, **answers).cautions for usd in (119_999, 120_000))
    assert any("119,999 US dollars is below the 120,000" in text for text in low)
    assert enough == []
