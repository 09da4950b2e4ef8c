"""Proximal policy optimisation with a value model: the trainer TRL no longer has.

`estimates` holds the formulas, `control` what is steered from rollout to rollout, `critic` the value
model, `config` the settings, `rollouts` how prompts are drawn and answers kept, `trainer` the training
itself. Generation, graders, tools and logging are GRPOTrainer's."""

from .config import PPOConfig
from .trainer import PPOTrainer

__all__ = ["PPOConfig", "PPOTrainer"]
