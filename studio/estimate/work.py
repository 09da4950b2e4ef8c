"""How much there is to do in a run: its optimiser steps, and the arithmetic that its tokens cost.

The arithmetic is only good for comparing runs that were counted in the same way (`studio.estimate.time`).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from studio.adapters import Adapter
from studio.estimate.demand import from_answers
from studio.techniques import Technique

CHARACTERS = 4  # of a token, about; what it really is cancels out between runs
FORWARD, ADAPTED, FULL = 2, 4, 6  # operations a weight and token: asked, learned beside, learned itself


@dataclass(frozen=True)
class Job:
    """A run as far as its time goes. `settings` are complete; `characters` those of an average row;
    `parameters` those of the whole model."""

    technique: Technique
    adapter: Adapter
    settings: Mapping[str, Any]
    rows: int
    characters: float
    parameters: int
    gpus: int = 1

    @property
    def writes(self) -> bool:
        """Whether the model, or its teacher, writes answers on the way."""
        return self.technique.reads == "prompts"


def steps(rows: int, settings: Mapping[str, Any], gpus: int = 1) -> int:
    """Optimiser steps: ceil(rows / batch / accumulation) an epoch, as transformers' Trainer counts them.

    Where answers are made, a batch is of answers: TRL 1.16 takes as many prompts as a generation has groups,
    leaves out the rest, and sees each answer `num_iterations` times; PPO makes `num_ppo_epochs` passes."""
    if (most := settings.get("max_steps", -1)) > 0:
        return int(most)
    batch = settings["per_device_train_batch_size"] * gpus * settings["gradient_accumulation_steps"]
    if group := settings.get("num_generations"):
        prompts = max(1, batch * settings.get("updates_per_generation", 1) // group)
        rows = rows // prompts * prompts * group * settings.get("num_iterations", 1)
    rows *= settings.get("num_ppo_epochs", 1)
    return math.ceil(math.ceil(rows / batch) * settings["num_train_epochs"])


def operations(job: Job) -> float:
    """Tokens × weights × what each of them costs, on each of its devices."""
    each = FORWARD if job.technique.model == "classifier" else ADAPTED if job.adapter.peft else FULL
    return _tokens(job) * job.parameters * each / job.gpus


def _tokens(job: Job) -> float:
    settings = job.settings
    length = job.characters / CHARACTERS
    if most := settings.get("max_length"):
        length = min(length, most)
    if job.writes:
        length += settings.get("max_completion_length", 0)
    batch = settings["per_device_train_batch_size"] * job.gpus * settings["gradient_accumulation_steps"]
    if _packs(job):
        if (most_steps := settings.get("max_steps", -1)) > 0:
            return float(most_steps * batch * settings["max_length"])
        return job.rows * settings["num_train_epochs"] * job.characters / CHARACTERS
    return steps(job.rows, settings, job.gpus) * batch * length


def _packs(job: Job) -> bool:
    """Rows put end to end in full sequences, of which only the tokens are known beforehand."""
    return bool(job.settings.get("packing") or dict(job.technique.fixed).get("packing")) and not from_answers(
        job.technique, job.settings
    )
