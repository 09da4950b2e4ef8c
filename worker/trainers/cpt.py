"""Continued pre-training: SFTTrainer on running text, with general text mixed in and perplexity measured.

What is added to TRL: a share of replayed general text, so that the model does not forget what it knew
(Ibrahim et al., arXiv 2403.08763), and the perplexity of held-out text of the domain and of general text.
"""

import math
import random
from dataclasses import dataclass, field
from typing import Any

from datasets import Dataset
from trl import SFTConfig, SFTTrainer


@dataclass
class CPTConfig(SFTConfig):
    """SFTConfig with the share of general text."""

    replay_share: float = field(
        default=0.05, metadata={"help": "Share of the characters trained on that is general text."}
    )


class CPTTrainer(SFTTrainer):
    """`train_dataset` has a `text` column. `replay_dataset` is general text (or conversations, which the chat
    template writes out) of which as much is mixed in as `replay_share` asks for; `general_dataset` is general
    text that is only measured: `eval_general_perplexity`."""

    _tag_names = ("trl", "cpt")
    _name = "CPT"

    def __init__(
        self,
        *,
        args: CPTConfig,
        train_dataset: Dataset,
        eval_dataset: Dataset | None = None,
        replay_dataset: Dataset | None = None,
        general_dataset: Dataset | None = None,
        processing_class: Any,
        **others: Any,
    ):
        if replay_dataset is not None:
            general = as_text(replay_dataset, processing_class)
            train_dataset = mixed(train_dataset, general, args.replay_share, args.seed)
        measured: Any = eval_dataset
        if eval_dataset is not None and general_dataset is not None:
            measured = {"domain": eval_dataset, "general": as_text(general_dataset, processing_class)}
        super().__init__(
            args=args,
            train_dataset=train_dataset,
            eval_dataset=measured,
            processing_class=processing_class,
            **others,
        )
        held_out: Any = self.eval_dataset
        self._general = held_out["general"] if isinstance(held_out, dict) else None
        self.eval_dataset: Any = held_out["domain"] if isinstance(held_out, dict) else held_out

    def evaluate(
        self,
        eval_dataset: Any = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> dict[str, float]:
        """As ever; with general text at hand, its loss and perplexity beside the domain's."""
        found: dict[str, float] = super().evaluate(eval_dataset, ignore_keys, metric_key_prefix)
        if self._general is not None and eval_dataset is None and metric_key_prefix == "eval":
            found |= super().evaluate(self._general, ignore_keys, "eval_general")
        return found

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Every loss with its perplexity, exp(loss): how many tokens the model hesitates between."""
        for key in [key for key in logs if key == "loss" or key.endswith("_loss")]:
            if key != "train_loss":
                logs[key.removesuffix("loss") + "perplexity"] = math.exp(min(float(logs[key]), 50.0))
        super().log(logs, start_time)


def as_text(dataset: Dataset, tokenizer: Any) -> Dataset:
    """Rows as one text each: conversations and prompts with answers are written out by the chat template."""

    def written(row: dict[str, Any]) -> str:
        if "text" in row:
            return str(row["text"])
        if "messages" in row:
            return str(tokenizer.apply_chat_template(row["messages"], tokenize=False))
        if isinstance(row["prompt"], str):
            return f"{row['prompt']} {row['completion']}"
        return str(tokenizer.apply_chat_template([*row["prompt"], *row["completion"]], tokenize=False))

    return Dataset.from_list([{"text": written(row)} for row in dataset])


def mixed(domain: Dataset, general: Dataset, share: float, seed: int) -> Dataset:
    """Domain rows and so many general rows, drawn at random, that these are `share` of all characters; all
    shuffled. General rows repeat when there are too few."""
    texts = [row["text"] for row in domain]
    if share <= 0 or not len(general):
        return Dataset.from_list([{"text": text} for text in texts])
    rng = random.Random(seed)
    wanted = share / (1 - share) * sum(map(len, texts))
    pool = [row["text"] for row in general]
    drawn = 0
    while drawn < wanted:
        rng.shuffle(pool)
        for text in pool:
            if drawn >= wanted:
                break
            texts.append(text)
            drawn += max(1, len(text))
    rng.shuffle(texts)
    return Dataset.from_list([{"text": text} for text in texts])
