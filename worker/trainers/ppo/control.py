"""What PPO steers from rollout to rollout: the weight of the KL penalty, and the scores it learns from.

What both remember is a few numbers, which go into the checkpoint as JSON.
"""

from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from .estimates import Total, alone


@dataclass
class KLController:
    """The weight β of the KL penalty. Fixed, unless there is a target.

    With a target, β is multiplied after each rollout by 1 + clip(KL/target - 1, -0.2, 0.2) ·
    answers/horizon, where KL is the mean over answers of their tokens' sum, in nats (Ziegler et al.,
    arXiv 1909.08593, section 2.2, with the horizon of its code)."""

    coefficient: float
    target: float | None = None
    horizon: float = 10_000

    def observe(self, kl: float, answers: int) -> None:
        if self.target is None:
            return
        error = min(max(kl / self.target - 1, -0.2), 0.2)
        self.coefficient *= 1 + error * answers / self.horizon

    def state(self) -> dict[str, float]:
        return {"coefficient": self.coefficient}

    def restore(self, state: dict[str, float]) -> None:
        self.coefficient = state["coefficient"]


@dataclass
class ScoreScale:
    """Mean and spread of all scores so far, so that any grader's scores come to mean 0 and variance 1.

    Normalising and clipping scores by running figures is part of PPO-max (Zheng et al., arXiv 2307.04964,
    section 5.3). Merged batch by batch (Chan et al., 1979)."""

    count: float = 0
    mean: float = 0
    squares: float = 0  # sum of squared distances from the mean

    def normalise(self, scores: Tensor, total: Total = alone) -> Tensor:
        """The scores (B) on the scale of all scores up to and with these; NaN is left out and stays NaN."""
        known = scores[~scores.isnan()].float()
        count, summed = total(torch.stack([known.new_tensor(len(known)), known.sum()])).tolist()
        if count:
            mean = summed / count
            squares = total(((known - mean) ** 2).sum()).item()
            both = self.count + count
            self.squares += squares + (mean - self.mean) ** 2 * self.count * count / both
            self.mean += (mean - self.mean) * count / both
            self.count = both
        deviation = (self.squares / self.count) ** 0.5 if self.count else 0.0
        return (scores - self.mean) / (deviation + 1e-8) if deviation else scores - self.mean

    def state(self) -> dict[str, float]:
        return asdict(self)

    def restore(self, state: dict[str, float]) -> None:
        self.count, self.mean, self.squares = state["count"], state["mean"], state["squares"]


def shape_scores(
    scores: Tensor,
    ended: Tensor,
    *,
    penalty: float | None,
    scale: ScoreScale | None,
    clip: float | None,
    total: Total = alone,
) -> Tensor:
    """The scores (B) as PPO learns from them: less the penalty where the answer has not ended, then on the
    scale of all so far, then cut to ± `clip`; each only where it is given. NaN, no score at all, becomes 0.

    The penalty is the "EOS trick" of Huang et al., arXiv 2403.17031."""
    if penalty is not None:
        scores = scores - penalty * (~ended).float()
    if scale is not None:
        scores = scale.normalise(scores, total)
    if clip is not None:
        scores = scores.clamp(-clip, clip)
    return scores.nan_to_num(0.0)
