"""Reward models from pairs, as TRL trains them, and from ratings, which TRL does not read.

Rated rows (prompt, completion, score) are learned from in one of two ways:

* `pairs`: two answers to the same prompt with different ratings make a pair, and the pairs are learned from
  by the Bradley-Terry loss (arXiv 2203.02155, eq. 1). Only the order of the ratings counts.
* `scores`: squared error on the standardised rating. Fits where each prompt has one answer.

`auto` takes pairs where at least half of the rows can be in one. What was done stands in `report`.
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from datasets import Dataset
from trl import RewardConfig as TRLRewardConfig
from trl import RewardTrainer as TRLRewardTrainer
from trl.trainer.reward_trainer import DataCollatorForPreference
from trl.trainer.utils import pad

Row = dict[str, Any]


@dataclass
class RewardConfig(TRLRewardConfig):
    """TRL's RewardConfig and how ratings are learned from."""

    ratings: str = field(
        default="auto",
        metadata={"help": "How rated rows are learned from.", "choices": ["auto", "pairs", "scores"]},
    )


def in_pairs(rows: Iterable[Row]) -> list[Row]:
    """Every two answers to the same prompt of which one is rated higher, as {prompt, chosen, rejected}."""
    answers: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        answers[json.dumps(row["prompt"], sort_keys=True)].append(row)
    return [
        {"prompt": better["prompt"], "chosen": better["completion"], "rejected": worse["completion"]}
        for group in answers.values()
        for better in group
        for worse in group
        if better["score"] > worse["score"]
    ]


def share_comparable(rows: Iterable[Row]) -> float:
    """The share of rows whose prompt has another row with another rating."""
    scores: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        scores[json.dumps(row["prompt"], sort_keys=True)].append(row["score"])
    comparable = sum(len(given) for given in scores.values() if len(set(given)) > 1)
    return comparable / sum(map(len, scores.values()))


@dataclass
class RewardCollator(DataCollatorForPreference):
    """TRL's collator for pairs; rated rows become `input_ids`, `attention_mask` (rows, tokens), `score`."""

    def torch_call(self, examples: list[Row]) -> dict[str, Any]:
        if "score" not in examples[0]:
            return super().torch_call(examples)
        ids = [torch.tensor(each["chosen_ids"]) for each in examples]
        how = {"padding_side": "right", "pad_to_multiple_of": self.pad_to_multiple_of}
        return {
            "input_ids": pad(ids, padding_value=self.pad_token_id, **how),
            "attention_mask": pad([torch.ones_like(each) for each in ids], padding_value=0, **how),
            "score": torch.tensor([each["score"] for each in examples], dtype=torch.float),
        }


class RewardTrainer(TRLRewardTrainer):
    """TRL's RewardTrainer that also reads rated rows. Takes a RewardConfig of this module.

    Logs `accuracy` and `margin` for ratings too: over the pairs of differently rated rows in a batch, the
    share that is in the right order and the mean distance. `rating_error` is the root mean squared error in
    units of the ratings."""

    report: dict[str, Any]
    _rating: tuple[float, float] = (0.0, 1.0)  # mean and standard deviation of the training ratings
    _learn_as: str = "pairs"  # held-out ratings are read as the training rows are

    def __init__(self, model: Any, args: RewardConfig, processing_class: Any, **others: Any):
        if others.get("data_collator") is None:
            # TRL may yet replace the padding token, by the same rule
            padding = args.pad_token or processing_class.pad_token or processing_class.eos_token
            others["data_collator"] = RewardCollator(
                pad_token_id=processing_class.convert_tokens_to_ids(padding),
                pad_to_multiple_of=args.pad_to_multiple_of,
            )
        self.report = {}
        super().__init__(model=model, args=args, processing_class=processing_class, **others)

    # ---- rows

    def _prepare_dataset(
        self, dataset: Any, processing_class: Any, args: RewardConfig, dataset_name: str
    ) -> Any:
        if not (isinstance(dataset, Dataset) and "score" in dataset.column_names):
            return super()._prepare_dataset(dataset, processing_class, args, dataset_name)
        if dataset_name == "train":
            self._learn_as = self._choose(dataset, args.ratings)
        if self._learn_as == "pairs":
            pairs = Dataset.from_list(self._must_pair(dataset, dataset_name))
            return super()._prepare_dataset(pairs, processing_class, args, dataset_name)
        if dataset_name == "train":
            self._standardise(dataset["score"])
        return self._scored(dataset, processing_class, args, dataset_name)

    def _choose(self, rows: Dataset, wish: str) -> str:
        way = wish if wish != "auto" else "pairs" if share_comparable(rows) >= 0.5 else "scores"
        self.report = {"ratings": {"rows": len(rows), "learned as": way}}
        if way == "pairs":
            self.report["ratings"]["pairs"] = len(self._must_pair(rows, "train"))
        return way

    def _must_pair(self, rows: Dataset, name: str) -> list[Row]:
        if pairs := in_pairs(rows):
            return pairs
        raise ValueError(
            f"The rated {'training' if name == 'train' else 'held-out'} rows hold no prompt with two "
            "differently rated answers, so nothing can be compared. Learn from the scores themselves, or add "
            "answers."
        )

    def _standardise(self, scores: list[float]) -> None:
        given = torch.tensor(list(scores), dtype=torch.float64)
        spread = given.std(correction=0).item()
        if spread == 0:
            raise ValueError("All ratings are equal: there is nothing to learn from them.")
        self._rating = (given.mean().item(), spread)
        self.report["ratings"] |= {"mean": round(self._rating[0], 4), "standard deviation": round(spread, 4)}

    def _scored(self, rows: Dataset, processing_class: Any, args: RewardConfig, name: str) -> Dataset:
        """Rated rows, tokenised by TRL as the chosen half of a pair whose other half is the same."""
        as_pairs = rows.map(lambda row: {"chosen": row["completion"], "rejected": row["completion"]})
        return super()._prepare_dataset(as_pairs, processing_class, args, name)

    def _set_signature_columns_if_needed(self) -> None:
        super()._set_signature_columns_if_needed()
        if "score" not in self._signature_columns:
            self._signature_columns.append("score")

    # ---- loss

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        if "score" not in inputs:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        mean, spread = self._rating
        scores = inputs.pop("score")  # (rows,)
        outputs = model(**inputs, use_cache=False)
        rewards = outputs.logits.squeeze(-1)  # (rows,)
        loss = torch.nn.functional.mse_loss(rewards.float(), (scores - mean) / spread)
        self._note(rewards.detach().float(), scores, loss.detach(), inputs["attention_mask"])
        return (loss, outputs) if return_outputs else loss

    def _note(
        self, rewards: torch.Tensor, scores: torch.Tensor, loss: torch.Tensor, attention_mask: torch.Tensor
    ) -> None:
        mode = "train" if self.model.training else "eval"
        metrics, gather = self._metrics[mode], self.accelerator.gather_for_metrics
        if mode == "train":
            self._total_train_tokens += gather(attention_mask.sum()).sum().item()
        metrics["num_tokens"] = [self._total_train_tokens]
        every = gather(rewards)
        metrics["min_reward"].append(every.min().item())
        metrics["mean_reward"].append(every.mean().item())
        metrics["max_reward"].append(every.max().item())
        metrics["rating_error"].append(self._rating[1] * gather(loss).mean().item() ** 0.5)
        higher = scores[:, None] > scores[None, :]  # (rows, rows)
        if higher.any():
            apart = (rewards[:, None] - rewards[None, :])[higher]
            metrics["accuracy"].append(gather((apart > 0).float().mean()).mean().item())
            metrics["margin"].append(gather(apart.mean()).mean().item())
