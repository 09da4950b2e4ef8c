"""Trains an embedding model: texts that belong together come to lie close together, others apart.

A language model (or an encoder) becomes a sentence-transformers model: backbone, pooling, cosine similarity.
It learns by ranking each query's passage above all others of the batch and above hard negatives, and is
measured by recall and mean reciprocal rank on held-out rows. The folder it saves loads with
`SentenceTransformer(folder)`. Only the loss, the collation and the saving are the library's.
"""

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from datasets import Dataset
from peft import PeftConfig, TaskType
from sentence_transformers import (
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from sentence_transformers.base.evaluation import BaseEvaluator
from sentence_transformers.base.modules import Transformer
from sentence_transformers.sentence_transformer.losses import (
    CachedMultipleNegativesRankingLoss,
    MultipleNegativesRankingLoss,
)
from sentence_transformers.sentence_transformer.modules import Pooling
from sentence_transformers.sentence_transformer.training_args import BatchSamplers
from sentence_transformers.util import is_sentence_transformer_model
from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainerCallback

CUTS = (1, 5, 10)  # the k of recall@k
MRR_CUT = 10  # as MS MARCO counts it: an answer below the tenth place is worth nothing


@dataclass
class EmbeddingConfig(SentenceTransformerTrainingArguments):
    """What the trainer takes beyond transformers' arguments.

    `pooling` "auto" keeps that of a model that embeds already and is the mean otherwise. `temperature`
    divides the cosines (1 / the library's `scale`). `hard_negatives` are the most a row brings. `cached_rows`
    above 0 computes gradients that many rows at a time (GradCache, arXiv 2101.06983), so that memory no
    longer grows with the batch. The prompts go before queries and passages, in training and in use."""

    max_length: int = 256
    pooling: str = "auto"
    temperature: float = 0.05
    hard_negatives: int = 1
    cached_rows: int = 0
    query_prompt: str = ""
    passage_prompt: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        # A text that occurs twice in a batch would be pushed away from itself.
        self.batch_sampler = BatchSamplers.NO_DUPLICATES


class EmbeddingTrainer(SentenceTransformerTrainer):
    """Rows have `query`, `positive` and `negatives` (a list, which may be empty). `model` is a transformers
    model, or a SentenceTransformer as it is; with a `peft_config` only an adapter learns."""

    args: EmbeddingConfig

    def __init__(
        self,
        model: PreTrainedModel | SentenceTransformer,
        args: EmbeddingConfig,
        train_dataset: Dataset,
        eval_dataset: Dataset | None = None,
        processing_class: PreTrainedTokenizerBase | None = None,
        peft_config: PeftConfig | None = None,
        callbacks: list[TrainerCallback] | None = None,
    ) -> None:
        if isinstance(model, SentenceTransformer):
            embedder = model
        else:
            assert processing_class is not None, "a model that does not embed yet needs its tokenizer"
            embedder = embed_with(model, args, processing_class)
        embedder.max_seq_length = args.max_length
        for role, prompt in (("query", args.query_prompt), ("document", args.passage_prompt)):
            if prompt:
                embedder.prompts[role] = prompt
        if peft_config is not None:
            peft_config.task_type = TaskType.FEATURE_EXTRACTION
            embedder.add_adapter(peft_config)
        if args.activation_checkpointing:  # the Trainer looks for a method that these models do not have
            embedder[0].model.activation_checkpointing_enable()
            args.activation_checkpointing = False

        count = most_negatives(train_dataset, args.hard_negatives)
        learned = columns(train_dataset, count, args.seed)
        seen = columns(eval_dataset, count, args.seed) if eval_dataset is not None else None
        passage_columns = [name for name in learned.column_names if name != "query"]
        args.prompts = {"query": embedder.prompts["query"]} | dict.fromkeys(
            passage_columns, embedder.prompts["document"]
        )
        super().__init__(
            model=embedder,
            args=args,
            train_dataset=learned,
            eval_dataset=seen,
            loss=contrast(embedder, args),
            evaluator=Ranking(eval_dataset, args.per_device_eval_batch_size) if eval_dataset else None,
            callbacks=callbacks,
        )

    def get_batch_sampler(self, dataset: Dataset, batch_size: int, drop_last: bool, **options: Any) -> Any:
        """A last batch with few rows has few negatives, so its loss means something else: it is left out,
        unless it is the only one."""
        return super().get_batch_sampler(dataset, batch_size, len(dataset) > batch_size, **options)

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """None: a card is written where a model is published, and the library asks the hub for one."""

    def _load_best_model(self) -> None:
        """The library logs a failure and keeps the last weights; a person asked for the best ones."""
        self._load_from_checkpoint(str(self.state.best_model_checkpoint))

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """Safetensors and JSON only: no pickled arguments."""
        self.model.save_pretrained(output_dir or self.args.output_dir, create_model_card=False)


# The model


class _Around(Transformer):
    """The library's module around a model that is loaded already, where the library would read its files
    again (and would miss an adapter that was merged into it)."""

    given: PreTrainedModel

    def _load_config(self, *_: Any) -> tuple[Any, bool]:
        return self.given.config, False

    def _load_model(self, *_: Any, **__: Any) -> PreTrainedModel:
        return self.given


def embed_with(
    model: PreTrainedModel, args: EmbeddingConfig, tokenizer: PreTrainedTokenizerBase
) -> SentenceTransformer:
    """The model without its language head, pooled into one vector a text. One that embeds already keeps its
    pooling, projections and prompts where `pooling` is "auto"; its weights are always those given."""
    folders = (tokenizer.name_or_path, model.name_or_path)
    embeds = [name for name in folders if is_sentence_transformer_model(name, local_files_only=True)]
    if args.pooling == "auto" and embeds:
        embedder = SentenceTransformer(embeds[0], device=str(model.device), local_files_only=True)
        embedder[0].model = backbone(model)
        return embedder
    _Around.given = backbone(model)
    try:
        module = _Around(tokenizer.name_or_path, max_seq_length=args.max_length)
    finally:
        del _Around.given
    module.__class__ = Transformer  # by this name it is saved and found again
    module.processor = tokenizer
    pooling = Pooling(module.get_embedding_dimension(), "mean" if args.pooling == "auto" else args.pooling)
    return SentenceTransformer(modules=[module, pooling], device=str(model.device))


def backbone(model: PreTrainedModel) -> PreTrainedModel:
    """The part that makes hidden states; a language head has nothing to say here."""
    return cast(PreTrainedModel, model.base_model)


def contrast(model: SentenceTransformer, args: EmbeddingConfig) -> torch.nn.Module:
    """Cross-entropy of each query's passage against all passages of the batch (InfoNCE, arXiv 1807.03748;
    in-batch negatives, arXiv 1705.00652): -log exp(cos(q, p+) / τ) / Σ_p exp(cos(q, p) / τ)."""
    scale = 1 / args.temperature
    if args.cached_rows:
        return CachedMultipleNegativesRankingLoss(model, scale=scale, mini_batch_size=args.cached_rows)
    return MultipleNegativesRankingLoss(model, scale=scale)


# The rows


def most_negatives(rows: Dataset, wished: int) -> int:
    """How many negatives every row shall have: as many as the row with the most brings, `wished` at most."""
    return min(wished, max((len(negatives) for negatives in rows["negatives"]), default=0))


def columns(rows: Dataset, count: int, seed: int) -> Dataset:
    """`query`, `positive`, `negative_1` … `negative_COUNT`, each a text.

    A row with fewer negatives of its own gets passages of other queries, drawn with `seed`: what the rest of
    the batch would be to it. Raises ValueError where all passages belong to one query."""
    rng = random.Random(seed)
    positives = list(rows["positive"])
    right: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        right[row["query"]].add(row["positive"])
    made: list[dict[str, str]] = []
    for row in rows:
        negatives = list(row["negatives"])[:count]
        while len(negatives) < count:
            negatives.append(_another(rng, positives, right[row["query"]]))
        numbered = {f"negative_{number}": text for number, text in enumerate(negatives, 1)}
        made.append({"query": row["query"], "positive": row["positive"], **numbered})
    return Dataset.from_list(made)


def _another(rng: random.Random, passages: Sequence[str], right: set[str]) -> str:
    """A passage that is none of the right ones."""
    for _ in range(100):
        if (found := rng.choice(passages)) not in right:
            return found
    others = sorted(set(passages) - right)
    if not others:
        raise ValueError("All passages belong to one query, so there is nothing to tell apart.")
    return rng.choice(others)


# How well it ranks


class Ranking(BaseEvaluator):
    """Exact search of every held-out query among all held-out passages, positives and negatives.

    recall@k is the share of a query's passages among its first k; the reciprocal rank is that of the first of
    them, 0 below place ten (MRR@10). Equal scores count against the model, so one that says the same of
    everything finds nothing."""

    def __init__(self, rows: Dataset, batch_size: int) -> None:
        super().__init__()
        self.primary_metric = "mrr"
        self._batch_size = batch_size
        self._passages = sorted(
            {text for row in rows for text in (row["positive"], *row["negatives"])},
        )
        place = {text: number for number, text in enumerate(self._passages)}
        self._wanted: dict[str, list[int]] = {}
        for row in rows:
            wanted = self._wanted.setdefault(row["query"], [])
            if place[row["positive"]] not in wanted:
                wanted.append(place[row["positive"]])

    def __call__(self, model: SentenceTransformer, *_: Any, **__: Any) -> dict[str, float]:
        """`recall_at_1`, `recall_at_5`, `recall_at_10` and `mrr`, between 0 and 1."""
        how: dict[str, Any] = {
            "batch_size": self._batch_size,
            "convert_to_tensor": True,
            "normalize_embeddings": True,
            "show_progress_bar": False,
        }
        passages = model.encode_document(self._passages, **how).float()  # (passages, dimensions)
        queries = model.encode_query(list(self._wanted), **how).float()  # (queries, dimensions)
        found: dict[str, list[float]] = {name: [] for name in (*(f"recall_at_{k}" for k in CUTS), "mrr")}
        for query, wanted in zip(queries, self._wanted.values(), strict=True):
            scores = passages @ query
            ranks = [int((scores >= scores[place]).sum()) for place in wanted]  # from 1
            for k in CUTS:
                found[f"recall_at_{k}"].append(sum(rank <= k for rank in ranks) / len(ranks))
            best = min(ranks)
            found["mrr"].append(1 / best if best <= MRR_CUT else 0.0)
        return {name: sum(values) / len(values) for name, values in found.items()}
