"""The rules of the doctor: their words and sources, and what decides in each."""

import math
from typing import Any

import pytest

from studio import doctor, techniques
from studio.doctor import Finding, Patient, Series
from studio.doctor.checkups import advised

LIMITS = {name: each.value for name, each in doctor.shipped().items()}
SIZE = 7_000_000_000


def patient(technique: str, curves: dict[str, list[float]], **more: Any) -> Patient:
    """Of a model of 7B with the recommended settings, but for those in `settings`."""
    known = techniques.get(technique)
    ours = advised(known, "lora", SIZE)
    series = {key: Series(range(1, len(values) + 1), values) for key, values in curves.items()}
    settings = ours | more.pop("settings", {})
    return Patient(known, "lora", settings, series, ours, more.pop("shape", "chat"), **more)


def told(ill: Patient, rule: str) -> Finding | None:
    found = {each.name: finding for each, finding in doctor.diagnose(ill, LIMITS).findings}
    return found.get(rule)


def slope(start: float, end: float, points: int = 40) -> list[float]:
    return [start + (end - start) * at / (points - 1) for at in range(points)]


@pytest.mark.parametrize("rule", doctor.all(), ids=lambda rule: rule.name)
def test_every_rule_explains_itself_and_its_thresholds_have_sources(rule: doctor.Rule) -> None:
    assert rule.explanation.endswith(".")
    assert rule.thresholds
    for name, each in rule.thresholds.items():
        assert name.startswith(rule.name)
        assert each.source
        assert each.help.endswith(".")
        assert each.value > 0


def test_no_two_rules_call_a_threshold_alike() -> None:
    assert len(doctor.shipped()) == sum(len(rule.thresholds) for rule in doctor.all())


def test_waiting_for_rows_is_told_beyond_its_threshold_and_not_below() -> None:
    limit = LIMITS["loader_share"]
    assert told(patient("sft", {"loss": slope(2, 1), "data_wait": [limit + 0.01] * 40}), "loader") is not None
    assert told(patient("sft", {"loss": slope(2, 1), "data_wait": [limit - 0.01] * 40}), "loader") is None


def test_a_gpu_that_computes_meanwhile_is_not_waited_for() -> None:
    limit = LIMITS["loader_share"]
    curves = {"loss": slope(2, 1), "data_wait": [limit + 0.2] * 40}
    found = told(patient("sft", curves | {"gpu_use": [1 - limit - 0.01] * 40}), "loader")
    assert found is not None
    assert "50 % of the time passes in waiting" in found.diagnosis
    assert "the GPU is busy only 69 % of it" in found.diagnosis
    assert [each.key for each in found.evidence] == ["data_wait", "gpu_use"]
    assert [each.name for each in found.changes] == ["dataloader_num_workers"]
    assert told(patient("sft", curves | {"gpu_use": [1 - limit + 0.01] * 40}), "loader") is None


def test_a_gpu_that_idles_without_waiting_for_rows_is_not_the_loaders_fault() -> None:
    curves = {"loss": slope(2, 1), "data_wait": [0.05] * 40, "gpu_use": [0.2] * 40}
    assert told(patient("sft", curves), "loader") is None


def test_a_loss_that_is_no_number_is_said_with_its_step() -> None:
    found = told(patient("sft", {"loss": [2.0, 1.5, *[math.nan] * 10]}), "diverged")
    assert found is not None
    assert "from step 3 on" in found.diagnosis
    assert found.severity == "error"
    assert {each.name for each in found.changes} == {"learning_rate"}


def test_one_gradient_that_overflowed_and_was_skipped_is_no_divergence() -> None:
    norms = [1.0] * 40
    norms[10] = math.inf
    assert told(patient("sft", {"loss": slope(2, 1), "grad_norm": norms}), "diverged") is None


def test_of_a_run_that_diverged_nothing_else_is_said_but_of_its_data() -> None:
    curves = {"loss": slope(1, 9), "learned_tokens": [1.0] * 40, "eval_loss": slope(1, 9, 8)}
    found = doctor.diagnose(patient("sft", curves), LIMITS).findings
    assert [rule.name for rule, _ in found] == ["diverged", "masks"]


def test_a_single_spike_of_the_loss_is_no_high_learning_rate() -> None:
    loss = slope(2, 1)
    loss[7] = 40.0
    assert told(patient("sft", {"loss": loss}), "rate_high") is None


def test_a_low_rate_is_said_only_where_nothing_moved() -> None:
    low = {"settings": {"learning_rate": 1e-7}}
    assert told(patient("sft", {"loss": slope(2, 1.2)}, **low), "rate_low") is None
    found = told(patient("sft", {"loss": slope(2, 1.99)}, **low), "rate_low")
    assert found is not None
    assert found.changes[0].value == patient("sft", {}).advised["learning_rate"]


def test_a_flat_loss_at_the_recommended_rate_is_not_the_rates_fault() -> None:
    assert told(patient("sft", {"loss": slope(0.02, 0.02)}), "rate_low") is None


def test_overfitting_is_mended_by_ending_where_it_was_best() -> None:
    held_out = [1.0, 0.8, 0.7, 0.8, 0.9, 1.0]
    ill = patient("sft", {"loss": slope(1, 0.1, 60)}, total_steps=60, settings={"num_train_epochs": 12.0})
    looks = Series([10, 20, 30, 40, 50, 60], held_out)
    ill = Patient(**vars(ill) | {"series": {**ill.series, "eval_loss": looks}})
    found = told(ill, "overfitting")
    assert found is not None
    assert "best at step 30 (0.7)" in found.diagnosis
    assert {each.name: each.value for each in found.changes} == {
        "num_train_epochs": 6.0,
        "keep_best": True,
        "early_stopping": 3,
    }


def test_a_held_out_loss_that_rises_with_the_training_loss_is_no_overfitting() -> None:
    ill = patient("sft", {"loss": slope(1, 1.2, 60), "eval_loss": [0.7, 0.72, 0.8, 0.9, 1.0, 1.1]})
    assert told(ill, "overfitting") is None


def test_answers_alike_because_all_are_right_now_are_no_harm() -> None:
    graded = [{"grader": "exact_match", "weight": 1.0}]
    curves = {
        "reward": slope(0.3, 1.0),
        "frac_reward_zero_std": [0.95] * 40,
        "entropy": slope(0.5, 0.001),
    }
    learned = patient("grpo", curves, graders=graded)
    assert told(learned, "no_signal") is None
    assert told(learned, "entropy") is None
    idle = patient("grpo", curves | {"reward": [1.0] * 40}, graders=graded)
    found = told(idle, "no_signal")
    assert found is not None
    assert "too easy" in found.besides


def test_twice_the_answers_a_prompt_still_make_whole_groups() -> None:
    settings = {"per_device_train_batch_size": 24, "gradient_accumulation_steps": 1, "num_generations": 8}
    ill = patient("grpo", {"frac_reward_zero_std": [0.95] * 20}, settings=settings)
    found = told(ill, "no_signal")
    assert found is not None
    changed = {each.name: each.value for each in found.changes}
    assert changed == {"num_generations": 16, "per_device_train_batch_size": 32}
    ill.technique.parameters(**ill.settings | changed)


@pytest.mark.parametrize(
    ("technique", "nats", "is_far"), [("grpo", 1.0, True), ("ppo", 1.0, False), ("ppo", 40.0, True)]
)
def test_how_far_is_too_far_depends_on_how_a_technique_counts(
    technique: str, nats: float, is_far: bool
) -> None:
    assert (told(patient(technique, {"kl": slope(0, nats, 60)}), "kl") is not None) is is_far


def test_longer_answers_that_are_rewarded_for_being_right_are_no_hacking() -> None:
    """The reward grows with the length, but not in the same steps."""
    wave = [0.05 * (-1) ** (at // 2) for at in range(40)]
    length = [each + 20 * (-1) ** at for at, each in enumerate(slope(100, 300))]
    reward = [each + more for each, more in zip(slope(0.2, 0.7), wave, strict=True)]
    curves = {"completions/mean_length": length, "reward": reward}
    assert told(patient("grpo", curves), "length") is None


def test_prompts_that_are_learned_are_no_mistake_where_there_are_none() -> None:
    curves = {"learned_tokens": [1.0] * 20}
    assert told(patient("cpt", curves, shape="text"), "masks") is None
    assert told(patient("sft", curves), "masks") is not None


def test_a_threshold_of_ones_own_decides() -> None:
    ill = patient("grpo", {"completions/clipped_ratio": [0.2] * 20})
    assert not doctor.diagnose(ill, LIMITS).findings
    found = doctor.diagnose(ill, LIMITS | {"truncation_share": 0.1}).findings
    assert [rule.name for rule, _ in found] == ["truncation"]
