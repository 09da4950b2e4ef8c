"""GRPO, Dr. GRPO, GSPO and RLOO: TRL's trainers, whose checkpoints also hold the answers still to be trained
on, so that a run stopped between two updates on the same answers goes on exactly where it was.

Which of the GRPO kin it is, the configuration says (`loss_type`, `scale_rewards`,
`importance_sampling_level`). DAPO's dynamic sampling is in `dapo.py`.
"""

from typing import Any

from trl import GRPOTrainer as TRLGRPOTrainer
from trl import RLOOTrainer as TRLRLOOTrainer

from worker.trainers.rollouts import KeepsRollouts


class MeasuresOnce:
    """Mixed in before TRL's trainers. Where a held-out prompt is answered once, its group has no spread: the
    share of groups without any would be logged as 1, whatever the model does, so it is left out."""

    def _generate_and_score_completions(self: Any, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        answers: dict[str, Any] = super()._generate_and_score_completions(inputs)  # type: ignore[misc]
        if not self.model.training and self.num_generations_eval == 1:
            self._metrics["eval"].pop("frac_reward_zero_std")
        return answers


class GRPOTrainer(MeasuresOnce, KeepsRollouts, TRLGRPOTrainer):
    """TRL's GRPOTrainer with answers that survive a stop."""


class RLOOTrainer(MeasuresOnce, KeepsRollouts, TRLRLOOTrainer):
    """TRL's RLOOTrainer with answers that survive a stop."""
