"""DAPO, Decoupled Clip and Dynamic sAmpling Policy Optimization (arXiv 2503.14476).

TRL's GRPOTrainer has the token-level loss (`loss_type="dapo"`, eq. 8), the two clip bounds (`epsilon`,
`epsilon_high`, section 3.1) and overlong filtering (`mask_truncated_completions`). This module adds what it
lacks:

* **Dynamic sampling** (section 3.2, eq. 11). A group of answers that all got the same reward has no
  advantage and teaches nothing. Such groups are thrown away before training, and further prompts are drawn
  from the dataset and answered, until the batch holds nothing but groups that teach.
* **Soft overlong punishment** (section 3.4, eq. 13), a part of the reward logged under its own name.

How a batch is filled: answers are generated and graded a round at a time, and only the rows that stay go
through TRL's own preparation, which pads them, counts their tokens, computes their log-probabilities and
logs them. Nothing of that is done here, so it is right for whatever TRL does now or later: mini-batches,
several updates on the same answers, tools and their masks, images, several processes.
"""

import math
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import gather_object
from datasets import IterableDataset
from trl import GRPOConfig

from worker.trainers.groups import Answer, Batch, has_spread, weighted
from worker.trainers.grpo import GRPOTrainer
from worker.trainers.prompts import PromptStream
from worker.trainers.rollouts import checkpoint_folder

# What TRL's `_generate` returns, in order; all but the extra fields are lists with an entry an answer.
(
    PROMPT_IDS,
    COMPLETION_IDS,
    TOOL_MASK,
    COMPLETIONS,
    LOGPROBS,
    EXTRA_FIELDS,
    IMAGES,
    TOOL_IMAGES,
) = range(8)


@dataclass
class DAPOConfig(GRPOConfig):
    """GRPOConfig with DAPO's defaults, and the settings TRL does not have.

    Raises ValueError where the overlong zone is longer than an answer may be."""

    loss_type: str = field(default="dapo", metadata={"help": "Token-level loss (eq. 8)."})
    epsilon: float = field(default=0.2, metadata={"help": "Lower clip bound (section 3.1)."})
    epsilon_high: float | None = field(default=0.28, metadata={"help": "Upper clip bound (section 3.1)."})
    beta: float = field(default=0.0, metadata={"help": "No KL penalty (section 2.3)."})
    dynamic_sampling: bool = field(
        default=True,
        metadata={"help": "Replace groups without spread by answers to further prompts (eq. 11)."},
    )
    max_resample_rounds: int = field(
        default=10,
        metadata={"help": "Rounds of further prompts at most; then the batch is trained on as it is."},
    )
    soft_overlong_cache: int = field(
        default=0,
        metadata={"help": "Tokens before the longest length in which answers are punished (eq. 13). 0: off."},
    )
    soft_overlong_weight: float = field(
        default=0.5,
        metadata={
            "help": "Weight of that punishment. The paper's 1 goes with rewards of -1 and 1; 0.5 is the same "
            "proportion for rewards of 0 and 1."
        },
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        longest = self.max_completion_length
        if longest is not None and not 0 <= self.soft_overlong_cache <= longest:
            raise ValueError(
                f"soft_overlong_cache ({self.soft_overlong_cache}) must lie between 0 and "
                f"max_completion_length ({longest})."
            )


class SoftOverlong:
    """DAPO eq. 13 as a reward function: 0 up to `longest` - `cache` tokens, then falling to -1 at `longest`.

    An answer cut off at `longest` gets -1."""

    __name__ = "soft_overlong"  # what TRL logs it under

    def __init__(self, longest: int, cache: int):
        self.longest, self.cache = longest, cache

    def __call__(self, completion_ids: list[list[int]], **_others: Any) -> list[float]:
        begins = self.longest - self.cache
        return [max(-1.0, min(0.0, (begins - len(ids)) / self.cache)) for ids in completion_ids]


class _Generated(Exception):
    """Carries the answers out of TRL's preparation of a batch, before it computes log-probabilities that
    answers about to be thrown away do not need."""

    def __init__(self, prompts: list[Any], made: tuple[Any, ...]):
        super().__init__("answers generated")
        self.prompts, self.made = prompts, made


class DAPOTrainer(GRPOTrainer):
    """GRPOTrainer with dynamic sampling and the soft overlong punishment. Takes a DAPOConfig.

    Logs `dynamic_sampling/…`: `rounds` of generation for a batch, `generated_per_used` (groups answered for
    each one trained on), `filled` (share of the batch that has spread), `discarded_correct` and
    `discarded_wrong` (shares of all groups answered), `reward` (of all answers, before any is thrown away:
    that of the batch hovers near the middle by construction) and `passes` over the dataset.
    """

    reward_funcs: list[Any]
    reward_func_names: list[str]
    reward_processing_classes: list[Any]
    reward_weights: torch.Tensor
    environment_factories: Any

    def __init__(self, *, args: DAPOConfig, train_dataset: Any = None, **others: Any):
        if args.dynamic_sampling and isinstance(train_dataset, IterableDataset):
            raise ValueError(
                "Dynamic sampling draws further prompts by their number, which a streamed dataset has not. "
                "Load the dataset whole, or set dynamic_sampling=False."
            )
        self._collecting = False
        self._batch: list[Answer] | None = None
        super().__init__(args=args, train_dataset=train_dataset, **others)
        self._graders = len(self.reward_funcs)
        if args.soft_overlong_cache:
            self._punish_overlong(SoftOverlong(args.max_completion_length, args.soft_overlong_cache))
        if args.dynamic_sampling:
            seed = args.seed if args.data_seed is None else args.data_seed
            self._stream = PromptStream(len(self.train_dataset), seed, shuffle=self.shuffle_dataset)

    def _punish_overlong(self, punishment: SoftOverlong) -> None:
        """One more part of the reward, after those that TRL knows."""
        self.reward_funcs = [*self.reward_funcs, punishment]
        self.reward_func_names = [*self.reward_func_names, punishment.__name__]
        self.reward_processing_classes = [*self.reward_processing_classes, None]
        self.reward_weights = torch.cat([self.reward_weights, torch.tensor([self.args.soft_overlong_weight])])

    # ---- the batch ------------------------------------------------------------------------------------

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        """TRL's tensors for a batch of `len(inputs)` answers. With dynamic sampling the prompts come from
        this trainer's own stream: `inputs`, what the dataloader dealt, only says how many."""
        if self._collecting or not self.args.dynamic_sampling or not self.model.training:
            return super()._generate_and_score_completions(inputs)
        processes, rank = self.accelerator.num_processes, self.accelerator.process_index
        batch = self._fill(len(inputs) * processes // self.num_generations)
        own = batch[rank * len(inputs) : (rank + 1) * len(inputs)]
        self._batch = batch
        # Environments have played their part: TRL must not start them again for answers that exist.
        factories, self.environment_factories, self.environments = self.environment_factories, None, None
        try:
            return super()._generate_and_score_completions([dict(answer.row) for answer in own])
        finally:
            self.environment_factories = factories
            self._batch = None

    def _fill(self, wanted: int) -> list[Answer]:
        """The answers of `wanted` groups, in order, the same list on every process."""
        batch = Batch(wanted, self.num_generations)
        while batch.missing and batch.rounds <= self.args.max_resample_rounds:
            answers, logged = self._answer(self._stream.take(self._next_count(batch)))
            graded = weighted(answers, self.reward_weights[: self._graders], batch.size)
            batch.add(answers, graded, self._teaches(answers, graded), self._right_from(), logged)
        metrics = self._metrics["train"]
        batch.tell(metrics)
        for name, value in (batch.figures() | {"passes": self._stream.passes}).items():
            metrics[f"dynamic_sampling/{name}"].append(value)
        return batch.answers()

    def _next_count(self, batch: Batch) -> int:
        """Groups to answer in the next round: as many as should give the missing ones, going by the share
        that had spread so far, but no more than a batch, which is what the memory is known to hold."""
        count = math.ceil(batch.missing * batch.drawn / max(batch.found, 1)) if batch.drawn else batch.wanted
        processes = self.accelerator.num_processes
        unit = processes // math.gcd(processes, self.num_generations)  # every process gets as many answers
        return min(batch.wanted, math.ceil(count / unit) * unit)

    def _teaches(self, answers: list[Answer], graded: torch.Tensor) -> torch.Tensor:
        """Which groups have spread in what the graders say (eq. 11 asks whether answers are right, not how
        long they are) and in the reward as a whole, and an answer that counts in the loss."""
        teaches = has_spread(graded) & has_spread(weighted(answers, self.reward_weights, graded.shape[1]))
        if self.mask_truncated_completions:
            ends = {*self.eos_token_ids, self._tokenizer.pad_token_id}
            whole = torch.tensor([answer.made[COMPLETION_IDS][-1] in ends for answer in answers])
            teaches &= whole.view(graded.shape).any(dim=1)
        return teaches

    def _right_from(self) -> float:
        """Half of the highest reward: graders score 0 to 1."""
        return float(self.reward_weights[: self._graders].clamp(min=0).sum()) / 2

    # ---- one round ------------------------------------------------------------------------------------

    def _answer(self, numbers: list[int]) -> tuple[list[Answer], dict[str, list[float]]]:
        """Graded answers of all processes to these rows of the dataset, group by group, and what TRL logged
        of their lengths."""
        share = len(numbers) * self.num_generations // self.accelerator.num_processes
        first = self.accelerator.process_index * share
        places = [number for number in numbers for _ in range(self.num_generations)]
        rows = [dict(self.train_dataset[number]) for number in places[first : first + share]]
        shown = self._metrics["train"]
        self._metrics["train"] = defaultdict(list)
        self._collecting = True
        try:
            self._generate_and_score_completions(rows)
            raise RuntimeError("TRL prepared a batch without generating.")
        except _Generated as generated:
            prompts, made = generated.prompts, generated.made
        finally:
            self._collecting = False
            logged, self._metrics["train"] = self._metrics["train"], shown
        return self._grade(rows, prompts, made), logged

    def _generate(self, prompts: list[Any]) -> tuple[Any, ...]:
        if self._batch is not None:
            return self._joined(len(prompts))
        made = super()._generate(prompts)
        if self._collecting:
            raise _Generated(prompts, made)
        return made

    def _grade(self, rows: list[dict[str, Any]], prompts: list[Any], made: tuple[Any, ...]) -> list[Answer]:
        """The answers of this process with their rewards, gathered from all processes in order."""
        parts = [_part(made, place) for place in range(len(rows))]
        for row, part in zip(rows, parts, strict=True):
            row.update(part[EXTRA_FIELDS])
        rewards = super()._calculate_rewards(rows, prompts, made[COMPLETIONS], made[COMPLETION_IDS])
        first = self.accelerator.process_index * len(rows)
        extra = dict(self._pending_extra_logs.items())
        self._pending_extra_logs.clear()
        if self.environment_factories is not None:  # what the environment said is now part of the prompt
            for row, prompt in zip(rows, prompts, strict=True):
                row["prompt"] = prompt
        own = [
            Answer(
                row,
                part,
                rewards[first + place].tolist(),
                {name: values[place] for name, values in extra.items()},
            )
            for place, (row, part) in enumerate(zip(rows, parts, strict=True))
        ]
        gathered: list[Answer] = gather_object(own)
        return gathered

    # ---- handing the batch to TRL ---------------------------------------------------------------------

    def _joined(self, count: int) -> tuple[Any, ...]:
        """This process's share of the batch, as `_generate` would have returned it."""
        assert self._batch is not None
        first = self.accelerator.process_index * count
        own = self._batch[first : first + count]
        names = sorted({name for answer in own for name in answer.extra})
        for name in names:
            self._pending_extra_logs[name] = [answer.extra.get(name) for answer in own]
        joined: list[Any] = []
        for place in range(len(own[0].made)):
            column = [answer.made[place] for answer in own]
            if place == EXTRA_FIELDS:
                joined.append({name: [one.get(name) for one in column] for name in column[0]})
            else:
                joined.append(None if all(one is None for one in column) else column)
        return tuple(joined)

    def _calculate_rewards(
        self, inputs: Any, prompts: Any, completions: Any, completion_ids_list: Any
    ) -> torch.Tensor:
        if self._batch is None:
            rewards: torch.Tensor = super()._calculate_rewards(
                inputs, prompts, completions, completion_ids_list
            )
            return rewards
        return torch.tensor([answer.rewards for answer in self._batch], device=self.accelerator.device)

    # ---- checkpoints ----------------------------------------------------------------------------------

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        super()._save_checkpoint(model, trial)
        if self.args.dynamic_sampling and self.args.should_save:
            self._stream.save(checkpoint_folder(self, trial))

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        super()._load_optimizer_and_scheduler(checkpoint)
        if self.args.dynamic_sampling and checkpoint is not None:
            self._stream.load(Path(checkpoint))


def _part(made: tuple[Any, ...], place: int) -> tuple[Any, ...]:
    """What belongs to one answer of everything `_generate` returned for a round."""
    parts: list[Any] = []
    for number, value in enumerate(made):
        if number == EXTRA_FIELDS:
            parts.append({k: v[place] if isinstance(v, list) else v for k, v in value.items()})
        else:
            parts.append(value[place] if value else None)
    return tuple(parts)
