"""GRPO, Dr. GRPO, GSPO and RLOO: TRL's trainers, whose checkpoints also hold the answers still to be trained
on, so that a run stopped between two updates on the same answers goes on exactly where it was.

Which of the GRPO kin it is, the configuration says (`loss_type`, `scale_rewards`,
`importance_sampling_level`). DAPO's dynamic sampling is in `dapo.py`.
"""

from trl import GRPOTrainer as TRLGRPOTrainer
from trl import RLOOTrainer as TRLRLOOTrainer

from worker.trainers.rollouts import KeepsRollouts


class GRPOTrainer(KeepsRollouts, TRLGRPOTrainer):
    """TRL's GRPOTrainer with answers that survive a stop."""


class RLOOTrainer(KeepsRollouts, TRLRLOOTrainer):
    """TRL's RLOOTrainer with answers that survive a stop."""
