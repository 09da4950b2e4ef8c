"""Relative Preference Optimization (arXiv 2402.10958): DPO that also contrasts answers across prompts.

DPO compares the two answers to one prompt. Relative PO compares every chosen answer of a batch with every
rejected one. With r(x, y) = log π(y|x) / π_ref(y|x), chosen answers i of prompts x_i, rejected answers j of
prompts x'_j (M of the one, N of the other):

    s_ij = β · (r(x_i, y_i) - r(x'_j, y'_j))                the contrast matrix
    ω_ij = softmax_j( -d(x_i, x'_j) / τ )                   its weights: each row sums to 1
    L    = -1/(M·N) · Σ_i Σ_j log σ( ω_ij · s_ij )

d is the cosine distance of the prompts' embeddings, so that similar prompts count more. As in the paper's
own code, the weight stands inside the sigmoid. The paper's other two weightings are there too: `uniform`
(ω_ij = 1/N), and `diagonal`, where only the own pair counts: then L = DPO / N + a constant, so it is DPO.

**Embeddings.** The paper takes those of all-MiniLM-L6-v2. Here they are the reference model's last hidden
states, averaged over the prompt, minus the mean of the batch (without which all prompts of a causal model
look alike). They come out of the pass that the reference makes anyway, so they cost nothing and need no
further model.

**Unpaired rows** (prompt, completion, label) are read too: a good answer and a bad one, of whatever
prompts, go into the batch together. The rarer kind is repeated.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from accelerate.utils import is_peft_model
from datasets import Dataset, concatenate_datasets
from trl import DPOConfig, DPOTrainer
from trl.trainer.dpo_trainer import DataCollatorForPreference

WEIGHTINGS = ("similarity", "uniform", "diagonal")
OTHER_PROMPT = (
    "rejected_prompt_ids"  # the prompt of the rejected answer, where it is not that of the chosen one
)


@dataclass
class RelativePOConfig(DPOConfig):
    """DPOConfig and how the contrast matrix is weighted. Raises ValueError for an unknown weighting, and for
    settings of DPO that have no meaning here."""

    weighting: str = field(
        default="similarity", metadata={"help": "Weights of the contrast matrix.", "choices": WEIGHTINGS}
    )
    similarity_temperature: float = field(
        default=0.5, metadata={"help": "τ: the lower, the more only the most similar prompts count."}
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.weighting not in WEIGHTINGS:
            raise ValueError(f"weighting must be one of {', '.join(WEIGHTINGS)}, not {self.weighting!r}.")
        if self.precompute_ref_log_probs:
            raise ValueError(
                "Relative PO reads the prompts' embeddings off the reference model as it trains."
            )


# ---- the formula


def contrast_weights(chosen: torch.Tensor, rejected: torch.Tensor, temperature: float) -> torch.Tensor:
    """ω, (M, N), each row summing to 1: from prompt embeddings (M, width) and (N, width)."""
    similarity = F.normalize(chosen, dim=-1) @ F.normalize(rejected, dim=-1).T
    return torch.softmax(-(1 - similarity) / temperature, dim=1)


def prompt_embeddings(hidden: torch.Tensor, prompt_mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The embeddings of the chosen answers' prompts and of the rejected answers', (B, width) each: the mean
    hidden state of the prompt's tokens, from (2 B, tokens, width), minus the mean of all."""
    mask = prompt_mask.unsqueeze(-1).to(hidden.dtype)
    means = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1)
    means = means.float()
    chosen, rejected = (means - means.mean(0)).chunk(2)
    return chosen, rejected


def relative_loss(
    chosen: torch.Tensor, rejected: torch.Tensor, weights: torch.Tensor, beta: float
) -> torch.Tensor:
    """L, a scalar, from log-ratios (M,) and (N,) and weights (M, N)."""
    contrast = beta * (chosen[:, None] - rejected[None, :])
    return -F.logsigmoid(weights * contrast).mean()


# ---- rows


def matched(rows: Dataset, seed: int) -> Dataset:
    """Tokenised rows with a `label`, as pairs of a good answer and a bad one drawn at random, each with its
    own prompt. Raises ValueError where one kind is missing."""
    rows = rows.shuffle(seed=seed)
    good = rows.filter(lambda row: row["label"])
    bad = rows.filter(lambda row: not row["label"])
    if not len(good) or not len(bad):
        raise ValueError(
            "Relative PO contrasts good answers with bad ones, and all of these are "
            f"{'good' if len(good) else 'bad'}."
        )
    good = good.select_columns(["prompt_ids", "chosen_ids"])
    bad = bad.select_columns(["prompt_ids", "rejected_ids"]).rename_column("prompt_ids", OTHER_PROMPT)
    most = max(len(good), len(bad))
    return concatenate_datasets(
        [half.select([at % len(half) for at in range(most)]).flatten_indices() for half in (good, bad)],
        axis=1,
    )


@dataclass
class ContrastCollator(DataCollatorForPreference):
    """TRL's collator, whose chosen and rejected answers may follow different prompts."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        if OTHER_PROMPT not in examples[0]:
            return super().torch_call(examples)
        good = [{**each, "rejected_ids": []} for each in examples]
        bad = [
            {"prompt_ids": each[OTHER_PROMPT], "chosen_ids": each["rejected_ids"], "rejected_ids": []}
            for each in examples
        ]
        batch = super().torch_call(good + bad)
        return {name: rows[: 2 * len(examples)] for name, rows in batch.items()}


class RelativePOTrainer(DPOTrainer):
    """DPOTrainer with the loss of Relative PO. Takes a RelativePOConfig.

    Logs what DPO logs (`rewards/…` compare each chosen answer with the rejected one beside it), and
    `contrast/own_weight`, the mean ω_ii: 1 is DPO, 1/N takes every prompt for equally near."""

    def __init__(self, model: Any, args: RelativePOConfig, processing_class: Any, **others: Any):
        if others.get("data_collator") is None:
            others["data_collator"] = ContrastCollator(
                pad_token_id=processing_class.convert_tokens_to_ids(
                    processing_class.pad_token or processing_class.eos_token
                ),
                max_length=args.max_length,
                truncation_mode=args.truncation_mode,
                pad_to_multiple_of=args.pad_to_multiple_of,
            )
        super().__init__(model=model, args=args, processing_class=processing_class, **others)

    # ---- rows

    def _prepare_dataset(self, dataset: Any, processing_class: Any, args: Any, dataset_name: str) -> Any:
        if not (isinstance(dataset, Dataset) and "label" in dataset.column_names):
            return super()._prepare_dataset(dataset, processing_class, args, dataset_name)
        twins = dataset.map(lambda row: {"chosen": row["completion"], "rejected": row["completion"]})
        tokens = super()._prepare_dataset(twins, processing_class, args, dataset_name)
        return matched(tokens, args.seed)

    def _set_signature_columns_if_needed(self) -> None:
        super()._set_signature_columns_if_needed()
        if OTHER_PROMPT not in self._signature_columns:
            self._signature_columns.append(OTHER_PROMPT)

    # ---- loss

    def _compute_loss(self, model: Any, inputs: dict[str, Any], return_outputs: bool) -> Any:
        answer_mask = inputs["completion_mask"]  # (2 B, tokens): B chosen answers, then B rejected ones
        given = {name: inputs[name] for name in ("input_ids", "attention_mask")}
        if self.aux_loss_enabled:
            given["output_router_logits"] = True
        labels = inputs["input_ids"].masked_fill(answer_mask == 0, -100)
        outputs = model(**given, labels=labels, fused_lm_head=True, use_cache=False)
        logps = outputs.log_probs[:, -(labels.size(1) - 1) :].sum(1)
        with self._hidden_states() as seen:
            reference = self.ref_model if self.ref_model is not None else self.model
            ref_logps = torch.cat(self.compute_ref_log_probs(reference, inputs))
        chosen, rejected = (logps - ref_logps).chunk(2)
        weights = self._weights(seen[-1][:, -labels.size(1) :], inputs["attention_mask"] - answer_mask)
        loss = relative_loss(chosen, rejected, weights, self.beta)
        if self.aux_loss_enabled:
            loss = loss + self.router_aux_loss_coef * outputs.aux_loss
        self._note(inputs, outputs, logps.detach(), chosen.detach(), rejected.detach(), weights)
        return (loss, outputs) if return_outputs else loss

    def _weights(self, hidden: torch.Tensor, prompt_mask: torch.Tensor) -> torch.Tensor:
        """ω, (B, B), from hidden states (2 B, tokens, width) and the mask of the prompts' tokens."""
        rows = hidden.size(0) // 2
        if self.args.weighting == "diagonal":
            return torch.eye(rows, device=hidden.device)
        if self.args.weighting == "uniform":
            return torch.full((rows, rows), 1 / rows, device=hidden.device)
        return contrast_weights(*prompt_embeddings(hidden, prompt_mask), self.args.similarity_temperature)

    @contextmanager
    def _hidden_states(self) -> Iterator[list[torch.Tensor]]:
        """The last hidden states (rows, tokens, width) of the reference's passes while this is open."""
        seen: list[torch.Tensor] = []
        whole = self.accelerator.unwrap_model(self.model if self.ref_model is None else self.ref_model)
        language_model = whole.get_base_model() if is_peft_model(whole) else whole
        hook = language_model.base_model.register_forward_hook(
            lambda _module, _given, said: seen.append(said.last_hidden_state.detach())
        )
        try:
            yield seen
        finally:
            hook.remove()

    def _note(
        self,
        inputs: dict[str, Any],
        outputs: Any,
        logps: torch.Tensor,
        chosen: torch.Tensor,
        rejected: torch.Tensor,
        weights: torch.Tensor,
    ) -> None:
        """Keeps this batch's metrics until they are logged; TRL averages and logs them."""
        mode = "train" if self.model.training else "eval"
        gather = self.accelerator.gather_for_metrics
        if mode == "train":
            self._total_train_tokens += gather(inputs["attention_mask"].sum()).sum().item() // self._tp_size
        self._metrics[mode]["num_tokens"] = [self._total_train_tokens]
        mask = inputs["completion_mask"][:, 1:].bool()
        of_chosen, _ = mask.chunk(2)
        tokens = mask.size(1)
        chosen_logps, rejected_logps = logps.chunk(2)
        found = {
            "rewards/chosen": self.beta * chosen,
            "rewards/rejected": self.beta * rejected,
            "rewards/margins": self.beta * (chosen - rejected),
            "rewards/accuracies": (chosen > rejected).float(),
            "logps/chosen": chosen_logps,
            "logps/rejected": rejected_logps,
            "entropy": outputs.entropy[:, -tokens:].detach()[mask],
            "mean_token_accuracy": outputs.is_top1[:, -tokens:].chunk(2)[0][of_chosen].float(),
            "contrast/own_weight": weights.diagonal(),
        }
        for name, values in found.items():
            self._metrics[mode][name].append(gather(values.mean()).mean().item())
