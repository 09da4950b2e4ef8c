"""The formulas of PPO for language models, as functions of tensors. Knows no trainer and no model.

Everywhere B is the number of answers, T the length of the longest in tokens; a mask is 1 on the tokens
the policy chose and 0 on padding and on what tools said. `total` adds a tensor up over processes; on one
it does nothing.

Sources: PPO, Schulman et al., arXiv 1707.06347; GAE, Schulman et al., arXiv 1506.02438; Ziegler et al.,
arXiv 1909.08593 and its code; Huang et al., "The 37 Implementation Details of PPO" (2022) and "The N+
Implementation Details of RLHF with PPO", arXiv 2403.17031; Zheng et al., "Secrets of RLHF, Part I",
arXiv 2307.04964.
"""

from collections.abc import Callable

import torch
from torch import Tensor

Total = Callable[[Tensor], Tensor]


def alone(sums: Tensor) -> Tensor:
    """The total over one process."""
    return sums


def masked_moments(values: Tensor, mask: Tensor, total: Total = alone) -> tuple[Tensor, Tensor]:
    """Mean and (biased) variance of the values where the mask is 1; 0 and 0 where it is so nowhere."""
    mask = mask.to(values.dtype)
    sums = total(torch.stack([(values * mask).sum(), mask.sum()]))
    mean = sums[0] / sums[1].clamp(min=1)
    squares = total((((values - mean) ** 2) * mask).sum())
    return mean, squares / sums[1].clamp(min=1)


def whiten(values: Tensor, mask: Tensor, *, keep_mean: bool = False, total: Total = alone) -> Tensor:
    """Values with variance 1 and mean 0 (or the mean they had) over the mask, and 0 elsewhere.

    Rewards keep their mean, since its sign tells good from bad; advantages do not (Ziegler et al.'s
    code)."""
    mean, variance = masked_moments(values, mask, total)
    scaled = (values - mean) * torch.rsqrt(variance + 1e-8)
    return (scaled + mean if keep_mean else scaled) * mask


def kl_per_token(logps: Tensor, reference: Tensor, estimator: str) -> Tensor:
    """The divergence of the policy from the reference at each sampled token, in nats.

    `k1` is log π/π_ref: unbiased, may be negative. `k3` is r - 1 - log r with r = π_ref/π: unbiased too,
    never negative, less noisy (Schulman, "Approximating KL Divergence", 2020)."""
    log_ratio = logps - reference
    if estimator == "k1":
        return log_ratio
    return torch.expm1(-log_ratio) + log_ratio


def token_rewards(scores: Tensor, kl: Tensor, mask: Tensor, coefficient: float) -> Tensor:
    """(B, T): minus β·KL on every token, and the score (B) on top at the last token the policy chose.

    Ziegler et al., arXiv 1909.08593, equation 2, spread over the tokens as their code does."""
    rewards = -coefficient * kl * mask
    rows, places = last_token(mask)
    rewards[rows, places] += scores[rows]
    return rewards


def last_token(mask: Tensor) -> tuple[Tensor, Tensor]:
    """The rows that have a chosen token, and the place of the last one in each."""
    rows = mask.any(dim=1).nonzero(as_tuple=True)[0]
    steps = torch.arange(mask.size(1), device=mask.device)
    return rows, (steps * mask[rows].long()).max(dim=1).values


def advantages_and_returns(
    rewards: Tensor, values: Tensor, mask: Tensor, *, gamma: float, lam: float
) -> tuple[Tensor, Tensor]:
    """Generalised advantage estimation over the chosen tokens (B, T), and the returns the critic learns.

    Â_t = δ_t + γλ Â_{t+1} with δ_t = r_t + γ V_{t+1} - V_t, where t + 1 is the next *chosen* token:
    padding and the words of tools in between are part of the state, not steps. After the last one the
    value is 0: the answer is over, also where its length limit ended it. Returns are Â + V from before
    any whitening. GAE, arXiv 1506.02438, equation 16; backwards as in "37 implementation details", number
    5."""
    chosen = mask.bool()
    advantages = torch.zeros_like(rewards)
    later_value = later_advantage = torch.zeros_like(rewards[:, 0])
    for step in range(rewards.size(1) - 1, -1, -1):
        error = rewards[:, step] + gamma * later_value - values[:, step]
        here = error + gamma * lam * later_advantage
        later_advantage = torch.where(chosen[:, step], here, later_advantage)
        later_value = torch.where(chosen[:, step], values[:, step], later_value)
        advantages[:, step] = here
    return advantages * chosen, (advantages + values) * chosen


def policy_losses(logps: Tensor, old_logps: Tensor, advantages: Tensor, clip: float) -> tuple[Tensor, Tensor]:
    """The clipped objective per token, to be minimised, and which tokens the clip decided.

    max(-Â·ρ, -Â·clip(ρ, 1-ε, 1+ε)): PPO, arXiv 1707.06347, equation 7."""
    ratio = torch.exp(logps - old_logps)
    free = -advantages * ratio
    bounded = -advantages * ratio.clamp(1 - clip, 1 + clip)
    return torch.maximum(free, bounded), bounded > free


def value_losses(
    values: Tensor, old_values: Tensor, returns: Tensor, clip: float | None
) -> tuple[Tensor, Tensor]:
    """Half the squared error per token, and which tokens the clip decided.

    The worse of the free value and one at most `clip` away from the rollout's ("37 implementation details",
    number 9). None leaves it free."""
    free = (values - returns) ** 2
    if clip is None:
        return 0.5 * free, torch.zeros_like(free, dtype=torch.bool)
    near = torch.maximum(torch.minimum(values, old_values + clip), old_values - clip)
    bounded = (near - returns) ** 2
    return 0.5 * torch.maximum(free, bounded), bounded > free


def moved(logps: Tensor, old_logps: Tensor) -> Tensor:
    """How far the policy has moved from the one that answered, per token: (ρ - 1) - log ρ, in nats.

    Schulman's k3 estimator ("37 implementation details", number 12)."""
    log_ratio = logps - old_logps
    return torch.expm1(log_ratio) - log_ratio


def explained_variance(values: Tensor, returns: Tensor, mask: Tensor, total: Total = alone) -> float:
    """Share of the returns' variance the critic foresaw: 1 is all, 0 no better than their mean, below 0
    worse.

    NaN where the returns do not vary."""
    _, spread = masked_moments(returns, mask, total)
    _, missed = masked_moments(returns - values, mask, total)
    return (1 - missed / spread).item() if spread > 0 else float("nan")
