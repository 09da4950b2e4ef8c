"""PPO's formulas against numbers worked out by hand: estimation, clipping, penalties, controllers,
prompts."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from studio.errors import StudioError
from studio.techniques.ppo import TECHNIQUE
from worker.trainers.ppo.config import PPOConfig
from worker.trainers.ppo.control import KLController, ScoreScale, shape_scores
from worker.trainers.ppo.estimates import (
    advantages_and_returns,
    explained_variance,
    kl_per_token,
    last_token,
    masked_moments,
    moved,
    policy_losses,
    token_rewards,
    value_losses,
    whiten,
)
from worker.trainers.ppo.rollouts import PromptSampler, Rollout


def near(tensor: Tensor, expected: object) -> None:
    torch.testing.assert_close(tensor, torch.tensor(expected), atol=1e-5, rtol=1e-5)


def test_advantages_are_summed_backwards_and_returns_add_the_values() -> None:
    """δ = 0.1, 0.1, 0.3; Â₃ = 0.3, Â₂ = 0.1 + 0.95·0.3, Â₁ = 0.1 + 0.95·0.385."""
    advantages, returns = advantages_and_returns(
        torch.tensor([[0.0, 0.0, 1.0]]),
        torch.tensor([[0.5, 0.6, 0.7]]),
        torch.ones(1, 3),
        gamma=1.0,
        lam=0.95,
    )
    near(advantages, [[0.46575, 0.385, 0.3]])
    near(returns, [[0.96575, 0.985, 1.0]])


def test_a_discount_weighs_what_comes_later() -> None:
    """γ = 0.5, λ = 1: Â₂ = 2 - 1 = 1; Â₁ = (1 + 0.5·1 - 2) + 0.5·1 = 0."""
    advantages, returns = advantages_and_returns(
        torch.tensor([[1.0, 2.0]]), torch.tensor([[2.0, 1.0]]), torch.ones(1, 2), gamma=0.5, lam=1.0
    )
    near(advantages, [[0.0, 1.0]])
    near(returns, [[2.0, 2.0]])


def test_padding_and_the_words_of_tools_are_no_steps() -> None:
    """The same three steps as above, with a tool's word in between and padding behind."""
    advantages, returns = advantages_and_returns(
        torch.tensor([[0.0, 0.0, 9.0, 1.0, 9.0]]),
        torch.tensor([[0.5, 0.6, 9.0, 0.7, 9.0]]),
        torch.tensor([[1, 1, 0, 1, 0]]),
        gamma=1.0,
        lam=0.95,
    )
    near(advantages, [[0.46575, 0.385, 0.0, 0.3, 0.0]])
    near(returns, [[0.96575, 0.985, 0.0, 1.0, 0.0]])


def test_moments_and_whitening_see_the_mask_alone() -> None:
    values, mask = torch.tensor([[1.0, 2.0], [3.0, 99.0]]), torch.tensor([[1, 1], [1, 0]])
    mean, variance = masked_moments(values, mask)
    near(mean, 2.0)
    near(variance, 2 / 3)
    near(whiten(values, mask), [[-1.2247449, 0.0], [1.2247449, 0.0]])
    near(whiten(values, mask, keep_mean=True), [[0.7752551, 2.0], [3.2247449, 0.0]])


def test_moments_add_up_over_processes() -> None:
    """Two processes with the same three numbers have the moments of one."""
    values, mask = torch.tensor([1.0, 2.0, 3.0]), torch.ones(3)
    near(torch.stack(masked_moments(values, mask, lambda sums: 2 * sums)), [2.0, 2 / 3])


def test_whitening_nothing_and_a_single_number_stays_finite() -> None:
    near(whiten(torch.tensor([5.0, 6.0]), torch.tensor([0, 0])), [0.0, 0.0])
    near(whiten(torch.tensor([5.0, 6.0]), torch.tensor([1, 0])), [0.0, 0.0])


def test_the_divergence_is_estimated_by_k1_or_k3() -> None:
    logps, reference = torch.tensor([-1.0, -2.0]), torch.tensor([-1.5, -1.0])
    near(kl_per_token(logps, reference, "k1"), [0.5, -1.0])
    near(kl_per_token(logps, reference, "k3"), [math.exp(-0.5) - 1 + 0.5, math.exp(1.0) - 1 - 1.0])
    near(kl_per_token(logps, logps, "k3"), [0.0, 0.0])


def test_every_token_pays_its_divergence_and_the_last_one_gets_the_score() -> None:
    rewards = token_rewards(
        torch.tensor([1.0, -2.0]),
        torch.tensor([[0.1, 0.2, 7.0], [0.3, 0.4, 0.5]]),
        torch.tensor([[1, 1, 0], [1, 1, 1]]),
        0.5,
    )
    near(rewards, [[-0.05, 0.9, 0.0], [-0.15, -0.2, -2.25]])


def test_a_row_without_tokens_gets_no_reward() -> None:
    mask = torch.tensor([[0, 0], [1, 0]])
    assert [found.tolist() for found in last_token(mask)] == [[1], [0]]
    near(token_rewards(torch.tensor([5.0, 1.0]), torch.zeros(2, 2), mask, 0.1), [[0.0, 0.0], [1.0, 0.0]])


def test_the_objective_is_clipped_where_the_policy_has_gone_far_enough() -> None:
    """Ratios 1.5 and 0.5 with both signs of advantage, ε = 0.2: only moves that would gain more are cut."""
    ratio = torch.tensor([1.5, 0.5, 1.5, 0.5])
    losses, clipped = policy_losses(
        ratio.log(), torch.zeros(4), torch.tensor([1.0, 1.0, -1.0, -1.0]), clip=0.2
    )
    near(losses, [-1.2, -0.5, 1.5, 0.8])
    assert clipped.tolist() == [True, False, False, True]


def test_a_clipped_token_has_no_gradient() -> None:
    logps = torch.tensor([1.5, 1.1]).log().requires_grad_()
    policy_losses(logps, torch.zeros(2), torch.ones(2), clip=0.2)[0].sum().backward()
    assert logps.grad is not None
    near(logps.grad, [0.0, -1.1])


def test_the_value_loss_is_the_worse_of_the_free_and_the_clipped_one() -> None:
    """Old value 0, ε = 0.2. To 1 from 0.5: clipped to 0.2, loss ½·0.8². To 0.5 from -0.1: free, ½·0.6²."""
    losses, clipped = value_losses(
        torch.tensor([0.5, -0.1, 0.5]), torch.zeros(3), torch.tensor([1.0, 0.5, 0.1]), clip=0.2
    )
    near(losses, [0.32, 0.18, 0.08])
    assert clipped.tolist() == [True, False, False]
    near(value_losses(torch.tensor([0.5]), torch.zeros(1), torch.ones(1), clip=None)[0], [0.125])


def test_how_far_the_policy_has_moved_is_never_negative() -> None:
    near(moved(torch.tensor([0.5, -0.5, 0.0]), torch.zeros(3)), [math.e**0.5 - 1.5, math.e**-0.5 - 0.5, 0.0])


def test_explained_variance_is_one_for_a_prophet_and_zero_for_the_mean() -> None:
    returns, mask = torch.tensor([1.0, 3.0, 100.0]), torch.tensor([1, 1, 0])
    assert explained_variance(returns, returns, mask) == 1
    assert explained_variance(torch.full((3,), 2.0), returns, mask) == 0
    assert explained_variance(torch.tensor([1.5, 2.5, 0.0]), returns, mask) == pytest.approx(0.75)
    assert math.isnan(explained_variance(returns, torch.ones(3), mask))


@pytest.mark.parametrize(
    ("kl", "expected"),
    [(12.0, 0.2 * (1 + 0.2 * 0.0256)), (6.6, 0.2 * (1 + 0.1 * 0.0256)), (0.0, 0.2 * (1 - 0.2 * 0.0256))],
)
def test_the_adaptive_controller_steers_as_ziegler_et_al_do(kl: float, expected: float) -> None:
    """Target 6, horizon 10,000, 256 answers: the error is KL/6 - 1, cut to ± 0.2."""
    controller = KLController(0.2, target=6.0)
    controller.observe(kl, 256)
    assert controller.coefficient == pytest.approx(expected, rel=1e-12)


def test_a_fixed_controller_stays_and_states_come_back() -> None:
    controller = KLController(0.05)
    controller.observe(50.0, 256)
    assert controller.coefficient == 0.05
    other = KLController(1.0)
    other.restore(controller.state())
    assert other.coefficient == 0.05


def test_scores_are_scaled_by_all_scores_so_far() -> None:
    """1, 3 have mean 2 and deviation 1; with 5, 7 the mean is 4 and the deviation √5."""
    scale = ScoreScale()
    near(scale.normalise(torch.tensor([1.0, 3.0, math.nan])).nan_to_num(9.0), [-1.0, 1.0, 9.0])
    near(scale.normalise(torch.tensor([5.0, 7.0])), [1 / 5**0.5, 3 / 5**0.5])
    other = ScoreScale()
    other.restore(scale.state())
    assert other == scale
    near(ScoreScale().normalise(torch.tensor([2.0, 2.0])), [0.0, 0.0])
    near(ScoreScale().normalise(torch.tensor([math.nan])).isnan().float(), [1.0])


def test_scores_are_shaped_by_penalty_scale_and_cut() -> None:
    scores, ended = torch.tensor([2.0, 1.0, math.nan]), torch.tensor([True, False, False])
    near(shape_scores(scores, ended, penalty=None, scale=None, clip=None), [2.0, 1.0, 0.0])
    near(shape_scores(scores, ended, penalty=0.5, scale=None, clip=None), [2.0, 0.5, 0.0])
    near(shape_scores(scores, ended, penalty=1.0, scale=ScoreScale(), clip=None), [1.0, -1.0, 0.0])
    near(shape_scores(scores, ended, penalty=None, scale=None, clip=1.5), [1.5, 1.0, 0.0])


def sampler(rows: int, epoch: int = 0, shuffle: bool = True) -> PromptSampler:
    return PromptSampler(rows, prompts=4, answers=2, batches=3, shuffle=shuffle, seed=7, epoch=lambda: epoch)


def test_prompts_come_a_rollout_at_a_time_as_often_as_it_is_asked_for() -> None:
    drawn = list(sampler(9, shuffle=False))
    assert drawn == [0, 0, 1, 1, 2, 2, 3, 3] * 3 + [4, 4, 5, 5, 6, 6, 7, 7] * 3
    assert len(sampler(9)) == len(drawn)


def test_the_order_of_an_epoch_follows_from_seed_and_epoch() -> None:
    assert list(sampler(8, epoch=1)) == list(sampler(8, epoch=1)) != list(sampler(8, epoch=0))
    assert set(sampler(8)) == set(range(8))


def test_fewer_prompts_than_a_rollout_are_gone_through_again() -> None:
    assert list(sampler(3, shuffle=False)) == [0, 0, 1, 1, 2, 2, 0, 0] * 3
    assert len(sampler(3)) == 24


def test_a_rollout_comes_back_from_its_file_in_the_same_order(tmp_path: Path) -> None:
    rollout = Rollout({"mask": torch.tensor([[1, 0], [1, 1], [0, 0]]), "returns": torch.rand(3, 2)})
    assert rollout.tokens(0, 2) == 3
    rollout.reshuffle()
    rollout.save(tmp_path / "rollout.safetensors")
    again = Rollout.load(tmp_path / "rollout.safetensors", torch.device("cpu"))
    assert again.order.tolist() == rollout.order.tolist()
    assert torch.equal(again.rows(1, 2)["returns"], rollout.rows(1, 2)["returns"])


def config(folder: Path, **settings: object) -> PPOConfig:
    return PPOConfig(
        str(folder), bf16=False, use_cpu=True, report_to=[], activation_checkpointing=False, **settings
    )


def test_a_rollout_is_all_mini_batches_and_lasts_all_epochs(tmp_path: Path) -> None:
    found = config(tmp_path, per_device_train_batch_size=4, gradient_accumulation_steps=2, num_mini_batches=3)
    assert (found.generation_batch_size, found.steps_per_generation, found.num_iterations) == (24, 6, 4)
    assert (found.num_generations, found.num_generations_eval) == (1, 1)


def test_defaults_are_those_of_the_literature(tmp_path: Path) -> None:
    found = config(tmp_path)
    assert (found.gamma, found.lam, found.cliprange, found.cliprange_value) == (1.0, 0.95, 0.2, 0.2)
    assert (found.vf_coef, found.kl_coef, found.adam_epsilon) == (0.1, 0.05, 1e-5)
    assert found.lr_scheduler_type == "linear"
    assert found.disable_dropout


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"kl_estimator": "k2"}, "k1 or k3"),
        ({"num_ppo_epochs": 0}, "1 or more"),
        ({"per_device_train_batch_size": 1}, "two answers"),
        ({"kl_target": 6.0, "kl_coef": 0.0}, "above 0"),
        ({"missing_eos_penalty": -1.0}, "negative"),
        ({"num_generations": 3}, "3 per prompt"),
        ({"cast_lm_head_to_fp32": True}, "not supported"),
    ],
)
def test_settings_that_cannot_work_are_refused(
    tmp_path: Path, settings: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        config(tmp_path, **settings)


def test_the_studios_settings_are_the_trainers(tmp_path: Path) -> None:
    """All are taken, and at their defaults say what the trainer's own defaults say."""
    given = TECHNIQUE.parameters().model_dump()
    arguments = TECHNIQUE.trainer_arguments(given, "prompt", measured=True)
    found, plain = config(tmp_path, **arguments), config(tmp_path)
    for name in (
        "kl_target",
        "cliprange_value",
        "score_clip",
        "missing_eos_penalty",
        "target_kl",
        "lam",
        "vf_coef",
    ):
        assert getattr(found, name) == getattr(plain, name), name
    assert found.generation_batch_size == 64


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"per_device_train_batch_size": 1, "gradient_accumulation_steps": 1}, "per_device_train_batch_size"),
        ({"kl_target": 6.0, "kl_coef": 0.0}, "kl_target"),
    ],
)
def test_what_cannot_work_is_said_where_it_is_set(settings: dict[str, float], field: str) -> None:
    with pytest.raises(StudioError) as problem:
        TECHNIQUE.parameters(**settings)
    assert problem.value.field == field
    assert problem.value.hint
