"""Trains a policy and its critic: rollouts by GRPOTrainer's machinery, learning by PPO's formulas.

A step is one update of the weights, as in every other trainer. It runs on one process or under
DistributedDataParallel; DeepSpeed and FSDP shard one model and there are two here, so they are refused.
Reads text only."""

import copy
import json
import math
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from peft import PeftConfig, PeftModel
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    ProcessorMixin,
    set_seed,
)
from trl import GRPOTrainer
from trl.trainer.utils import add_fused_lm_head

from . import critic as critics
from .config import PPOConfig
from .control import KLController, ScoreScale, shape_scores
from .estimates import (
    advantages_and_returns,
    explained_variance,
    kl_per_token,
    masked_moments,
    moved,
    policy_losses,
    token_rewards,
    value_losses,
    whiten,
)
from .policy import log_probs
from .rollouts import PARTS, PromptSampler, Rollout, sequences

STATE = "ppo.json"


class PPOTrainer(GRPOTrainer):
    """PPO with a value model.

    Takes what GRPOTrainer takes, with a PPOConfig, and `value_model`: a reward model (or its folder) the
    critic starts from, instead of the policy. The reference of the KL penalty is the policy as it was
    given: a frozen copy where all weights are trained, the base with its adapter switched off where an
    adapter is.

    Checkpoints hold, beside what every Trainer's do, `critic/` (its weights), `ppo.json` (controllers and
    counters) and the rollout in hand; `save_model` writes the policy alone. Raises NotImplementedError
    for DeepSpeed, FSDP and models that read more than text."""

    _tag_names = ("trl", "ppo")
    _name = "PPO"
    _paper = {  # noqa: RUF012 - as GRPOTrainer declares it
        "title": "Fine-Tuning Language Models from Human Preferences",
        "id": "1909.08593",
        "citation": textwrap.dedent("""\
            @article{ziegler2019finetuning,
                title  = {{Fine-Tuning Language Models from Human Preferences}},
                author = {Daniel M. Ziegler and Nisan Stiennon and Jeffrey Wu and Tom B. Brown and
                          Alec Radford and Dario Amodei and Paul Christiano and Geoffrey Irving},
                year   = 2019,
                eprint = {arXiv:1909.08593}
            }"""),
    }

    def __init__(
        self,
        model: str | PreTrainedModel | PeftModel,
        reward_funcs: Callable | list[Callable] | None = None,
        args: PPOConfig | None = None,
        train_dataset: Any = None,
        eval_dataset: Any = None,
        processing_class: PreTrainedTokenizerBase | None = None,
        *,
        peft_config: PeftConfig | None = None,
        value_model: str | PreTrainedModel | None = None,
        **others: Any,
    ):
        args = args or PPOConfig("ppo")
        if isinstance(model, str):
            model = AutoModelForCausalLM.from_pretrained(
                model, **{"dtype": torch.float32, **(args.model_init_kwargs or {})}
            )
        set_seed(args.seed)
        adapted = peft_config is not None or isinstance(model, PeftModel)
        reference = copy.deepcopy(model) if args.kl_coef and not adapted else None
        critic = critics.build(model, peft_config, value_model)
        super().__init__(
            model=model,
            reward_funcs=reward_funcs,
            args=args,
            train_dataset=train_dataset,
            eval_dataset=eval_dataset,
            processing_class=processing_class,
            peft_config=peft_config,
            **others,
        )
        if self.is_deepspeed_enabled or self.is_fsdp_enabled:
            raise NotImplementedError(
                "PPO trains two models; use DistributedDataParallel, not DeepSpeed or FSDP."
            )
        if isinstance(self.processing_class, ProcessorMixin):
            raise NotImplementedError("PPO's value model reads text only.")
        self._take_in(critic, reference)
        self.kl_control = KLController(args.kl_coef, args.kl_target, args.kl_horizon)
        self.score_scale = ScoreScale()
        self._rollout: Rollout | None = None
        self._rollout_batches = args.num_ppo_epochs * args.steps_per_generation
        self._moved = [0.0, 0.0]  # nats and tokens of this pass over the rollout
        self._left = False  # the rest of this rollout is not learned from

    def _take_in(self, critic: critics.Critic, reference: PreTrainedModel | None) -> None:
        """Places critic and reference beside the policy, as it is prepared itself."""
        for model in (self.model, critic, reference):
            if model is not None and self.args.disable_dropout:
                critics.silence_dropout(model)
        if self.args.activation_checkpointing:
            critic.checkpoint_activations(self.args.activation_checkpointing_kwargs)
        self.critic = self.accelerator.prepare_model(critic.train())  # in training alone it recomputes
        self.beta = self.args.kl_coef  # above 0, GRPO asks the reference for its log probabilities
        if reference is not None:
            reference.requires_grad_(False).eval()
            add_fused_lm_head(reference, temperature=self.temperature)
            self.ref_model = self.accelerator.prepare_model(reference, evaluation_mode=True)

    # The optimiser: one for both, with the critic in groups of its own.

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        optimizer = super().create_optimizer(model)
        critic = self.accelerator.unwrap_model(self.critic)
        known = {id(weight) for group in optimizer.param_groups for weight in group["params"]}
        decayed = self.get_decay_parameter_names(critic)
        for decay in (True, False):
            weights = [
                weight
                for name, weight in critic.named_parameters()
                if weight.requires_grad and id(weight) not in known and (name in decayed) == decay
            ]
            if weights:
                rate = self.args.value_learning_rate or self.args.learning_rate
                strength = self.args.weight_decay if decay else 0.0
                optimizer.add_param_group({"params": weights, "lr": rate, "weight_decay": strength})
        return optimizer

    def _clip_grad_norm(self, model: Any) -> Any:
        """Policy and critic are clipped apart: a critic far off must not shorten the policy's step."""
        norm = self.accelerator.clip_grad_norm_(self.critic.parameters(), self.args.max_grad_norm)
        self._metrics["train"]["value_grad_norm"].append(float(norm))
        return super()._clip_grad_norm(model)

    # Rollouts.

    def _get_train_sampler(self, dataset: Any = None) -> PromptSampler:
        return PromptSampler(
            len(self.train_dataset if dataset is None else dataset),
            prompts=self.args.generation_batch_size // self.num_generations,
            answers=self.num_generations,
            batches=self._rollout_batches,
            shuffle=bool(self.shuffle_dataset),
            seed=self.args.seed if self.args.data_seed is None else self.args.data_seed,
            epoch=lambda: int(self.state.epoch or 0),
        )

    def _prepare_inputs(self, generation_batch: Any) -> dict[str, Tensor]:
        """The answers of the next forward pass. The first pass over a rollout keeps its order, in which
        the old log probabilities were computed, so that the first ratio is 1 to the last bit; later ones
        shuffle."""
        if not self.model.training:
            return self._generate_and_score_completions(generation_batch)
        place = self._step % self._rollout_batches
        if place == 0 or self._rollout is None:
            self._rollout, self._left, self._moved = self._roll_out(generation_batch), False, [0.0, 0.0]
        elif place % self.args.steps_per_generation == 0:
            self._rollout.reshuffle()
        size = self.args.per_device_train_batch_size
        update = size * self.args.gradient_accumulation_steps
        start = place % self.args.steps_per_generation * size
        tokens = self._total(self._rollout.tokens(start // update * update, update))
        return self._rollout.rows(start, size) | {"tokens": tokens / self.accelerator.num_processes}

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        answers = super()._generate_and_score_completions(inputs)
        self._metrics["train" if self.model.training else "eval"].pop(
            "frac_reward_zero_std"
        )  # no groups here
        return answers

    def _calculate_rewards(
        self, inputs: Any, prompts: list, completions: list, ids: list[list[int]]
    ) -> Tensor:
        """Keeps the weighted scores (B), NaN where no grader had one, and whether each answer ended."""
        parts = super()._calculate_rewards(inputs, prompts, completions, ids)
        scores = (parts * self.reward_weights.to(parts.device)).nansum(dim=1)
        scores[parts.isnan().all(dim=1)] = torch.nan
        first = self.accelerator.process_index * len(prompts)
        self._scores = scores[first : first + len(prompts)]
        self._ended = torch.tensor([row[-1] in self.eos_token_ids for row in ids], device=parts.device)
        return parts

    def _roll_out(self, batch: Any) -> Rollout:
        """Answers the prompts and works out advantages and returns. All of it without gradients."""
        answers = self._generate_and_score_completions(batch)
        whole, size = sequences(answers), self.args.per_device_train_batch_size
        mask = answers["completion_mask"] * answers.get("tool_mask", 1)
        mask = mask * (~self._scores.isnan()).unsqueeze(1)  # what nobody scored teaches nothing
        with torch.no_grad():
            old_logps = answers.get("old_per_token_logps")
            if old_logps is None:  # GRPO leaves them out where a rollout lasts one step
                old_logps, *_ = self._get_per_token_logps_and_entropies(self.model, *whole, batch_size=size)
            values = self.critic(*whole, size)
        rewards = self._rewards(old_logps, answers.get("ref_per_token_logps"), mask)
        advantages, returns = advantages_and_returns(
            rewards, values, mask, gamma=self.args.gamma, lam=self.args.lam
        )
        self._note_rollout(values, advantages, returns, mask)
        if self.args.whiten_advantages:
            advantages = whiten(advantages, mask, total=self._total)
        kept = {name: answers[name] for name in (*PARTS, "importance_sampling_ratio") if name in answers}
        return Rollout(
            kept
            | {"mask": mask, "old_logps": old_logps, "old_values": values}
            | {"advantages": advantages, "returns": returns}
        )

    def _rewards(self, logps: Tensor, reference: Tensor | None, mask: Tensor) -> Tensor:
        """(B, T): scores and KL penalty per token; steers β for the next rollout."""
        scores = shape_scores(
            self._scores,
            self._ended,
            penalty=self.args.missing_eos_penalty,
            scale=self.score_scale if self.args.normalize_scores else None,
            clip=self.args.score_clip,
            total=self._total,
        )
        if reference is None:
            rewards = token_rewards(scores, torch.zeros_like(logps), mask, 0.0)
        else:
            kl = kl_per_token(logps, reference, self.args.kl_estimator)
            rewards = token_rewards(scores, kl, mask, self.kl_control.coefficient)
            self._note("kl_coef", self.kl_control.coefficient)
            answered = mask.any(dim=1)
            sums = torch.stack([((logps - reference) * mask).sum(), answered.sum().float()])
            nats, count = self._total(sums).tolist()
            self._note("kl", nats / max(count, 1))
            self.kl_control.observe(nats / max(count, 1), int(count))
        if self.args.whiten_rewards:
            rewards = whiten(rewards, mask, keep_mean=True, total=self._total)
        return rewards

    def _get_per_token_logps_and_entropies(
        self,
        model: Any,
        ids: Tensor,
        attention: Tensor,
        count: int,
        batch_size: int | None = None,
        compute_entropy: bool = False,
        **others: Any,
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """GRPOTrainer's, or on a CPU a faster one; GRPOTrainer asks here too, so that both are never
        mixed."""
        if ids.device.type != "cpu" or self.aux_loss_enabled:
            return super()._get_per_token_logps_and_entropies(
                model, ids, attention, count, batch_size, compute_entropy, **others
            )
        with self.accelerator.autocast():
            return *log_probs(model, ids, attention, count, self.temperature, batch_size), None

    # Learning.

    def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> Tensor:
        """One forward and backward pass; none where the rest of the rollout is left.

        Without gradients the optimiser leaves every weight and its own memory as they are."""
        place = self._step % self._rollout_batches
        if place % self.args.gradient_accumulation_steps == 0:
            self.critic.zero_grad(set_to_none=True)
        if self._left and place != 0:
            self._step += 1
            self._note("update_skipped", 1.0)
            return torch.zeros((), device=self.args.device)
        loss = super().training_step(model, inputs, num_items_in_batch)
        if self.args.target_kl is not None:
            self._note("update_skipped", 0.0)
            if self._step % self.args.steps_per_generation == 0:
                self._left = self._moved[0] > self.args.target_kl * self._moved[1]
                self._moved = [0.0, 0.0]
        return loss

    def _compute_loss(self, model: Any, inputs: dict[str, Tensor]) -> Tensor:
        """Policy loss plus `vf_coef` times value loss, each a mean over the tokens of the whole update,
        so that gradient accumulation changes nothing."""
        ids, attention, count = sequences(inputs)
        logps, entropies, auxiliary = self._get_per_token_logps_and_entropies(
            model, ids, attention, count, compute_entropy=True, compute_aux_loss=self.aux_loss_enabled
        )
        values = self.critic(ids, attention, count)
        mask, old_logps = inputs["mask"], inputs["old_logps"]
        policy, clipped = policy_losses(logps, old_logps, inputs["advantages"], self.args.cliprange)
        policy = policy * inputs.get("importance_sampling_ratio", 1)
        value, value_clipped = value_losses(
            values, inputs["old_values"], inputs["returns"], self.args.cliprange_value
        )
        tokens = inputs["tokens"].clamp(min=1)
        loss = ((policy + self.args.vf_coef * value) * mask).sum() / tokens
        if auxiliary is not None:
            self._note("aux_loss", auxiliary.item())
            loss = loss + self.router_aux_loss_coef * auxiliary / self.current_gradient_accumulation_steps
        self._note_update(
            mask,
            policy_loss=policy,
            value_loss=value,
            approx_kl=moved(logps, old_logps),
            clip_ratio=clipped,
            value_clip_ratio=value_clipped,
            entropy=entropies,
        )
        return loss

    def prediction_step(self, model: Any, inputs: Any, *_: Any, **__: Any) -> tuple[None, None, None]:
        """Answers and scores the prompts. PPO's loss says nothing about rows it was not rolled out for."""
        with torch.no_grad():
            self._prepare_inputs(inputs)
        return None, None, None

    # Metrics.

    def _total(self, sums: Tensor) -> Tensor:
        return self.accelerator.reduce(sums, reduction="sum")

    def _note(self, name: str, value: float) -> None:
        self._metrics["train"][name].append(value)

    def _note_rollout(self, values: Tensor, advantages: Tensor, returns: Tensor, mask: Tensor) -> None:
        mean, variance = masked_moments(advantages, mask, self._total)
        self._note("advantages/mean", mean.item())
        self._note("advantages/std", variance.sqrt().item())
        for name, what in (("returns/mean", returns), ("values/mean", values)):
            self._note(name, masked_moments(what, mask, self._total)[0].item())
        self._note("explained_variance", explained_variance(values, returns, mask, self._total))

    def _note_update(self, mask: Tensor, **per_token: Tensor) -> None:
        """Means over the chosen tokens of this pass, on all processes."""
        parts = [(tensor.detach() * mask).sum() for tensor in per_token.values()]
        *sums, tokens = self._total(torch.stack([*parts, mask.sum().float()])).tolist()
        for name, summed in zip(per_token, sums, strict=True):
            self._note(name, summed / max(tokens, 1))
            if name == "approx_kl":
                self._moved = [self._moved[0] + summed, self._moved[1] + tokens]

    # Checkpoints.

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        super()._save_checkpoint(model, trial)
        folder = Path(self._get_output_dir(trial)) / f"checkpoint-{self.state.global_step}"
        if self._step % self._rollout_batches and self._rollout is not None:
            self._rollout.save(folder / self._rollout_file())
        if not self.args.should_save:
            return
        self.accelerator.unwrap_model(self.critic).save(folder / "critic")
        metrics = self._metrics["train"].items()
        state = {
            "passes": self._step,
            "kl_control": self.kl_control.state(),
            "score_scale": self.score_scale.state(),
            "moved": self._moved,
            "left": self._left,
            "metrics": {name: [v for v in values if not math.isnan(v)] for name, values in metrics},
        }
        (folder / STATE).write_text(json.dumps(state))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        folder = Path(resume_from_checkpoint)
        self.accelerator.unwrap_model(self.critic).load(folder / "critic")
        state = json.loads((folder / STATE).read_text())
        self.kl_control.restore(state["kl_control"])
        self.score_scale.restore(state["score_scale"])
        self._step, self._moved, self._left = state["passes"], state["moved"], state["left"]
        self._metrics["train"].update({name: list(values) for name, values in state["metrics"].items()})
        if self._step % self._rollout_batches:
            self._rollout = Rollout.load(folder / self._rollout_file(), self.accelerator.device)

    def _rollout_file(self) -> str:
        return f"rollout-{self.args.process_index}.safetensors"
