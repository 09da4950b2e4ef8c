"""Embedding tuning teaches a model which texts belong together, so that a search finds them.

It learns from pairs of a query and the passage that answers it, and gets better with passages that look right
and are wrong (hard negatives). The model turns each text into a vector; training pulls the two of a pair
together and pushes the query away from every other passage of the batch and from its hard negatives.

**When it fits.** Search, retrieval for a language model, deduplication, clustering, routing: wherever a
general embedding model misses your field's words. A thousand pairs help; some tens of thousands are better.
Take a model that embeds already, if there is one for your language; a language model works too.

**When it fails.** With pairs that do not really belong together, and with "negatives" that are answers too:
the model is then taught to push the right one away. It ranks; it does not say *why*, and it does not answer.

**Why these defaults.** Every other passage of the batch is a free negative, so a larger batch is a harder and
better lesson: where it does not fit into memory, cached gradients give the same result (GradCache, arXiv
2101.06983). The temperature 0.05 is that of SimCSE (arXiv 2104.08821) and of sentence-transformers. One hard
negative a row brought most of the gain in dense passage retrieval (DPR, arXiv 2004.04906); more help where
passages differ in details only. The same text never occurs twice in a batch.

**Read the charts.** Recall at 5 is the share of right passages among the first five found; the mean
reciprocal rank says how far up the first one is. Both are measured by exact search among all held-out
passages, hard negatives included, so they depend on how many there are. The first point is the untuned model.

**Reads.** Queries and passages. **Gives** a folder that `SentenceTransformer(folder)` loads.
"""

from typing import Literal

from studio.parameters import setting
from studio.techniques.base import TEN_TIMES, RowParameters, Suggestion, Technique, is_tiny, suggested
from studio.techniques.metrics import Healthy, MetricInfo, common_metrics


class EmbeddingParameters(RowParameters):
    per_device_train_batch_size: int = setting(
        32,
        "Batch size",
        "Rows per step on each device. Every other passage of the batch is a negative: larger teaches more.",
        source="sentence-transformers: larger batches, more in-batch negatives (arXiv 1705.00652)",
        basic=True,
        ge=2,
        le=65_536,
    )
    max_length: int = setting(
        256,
        "Longest text",
        "Queries and passages longer than this lose their end.",
        unit="tokens",
        source="Common for passages; longer ones are better cut into several",
        basic=True,
        ge=8,
        le=1_000_000,
    )
    hard_negatives: int = setting(
        1,
        "Hard negatives",
        "Wrong passages a row brings at most. A row with fewer gets passages of other rows.",
        source="DPR, arXiv 2004.04906: one brought most of the gain",
        basic=True,
        ge=0,
        le=64,
    )
    temperature: float = setting(
        0.05,
        "Temperature",
        "Similarities are divided by it. Lower looks only at the hardest negatives, higher at all of them.",
        source="SimCSE, arXiv 2104.08821; the library's scale of 20",
        gt=0,
        le=10,
    )
    pooling: Literal["auto", "mean", "lasttoken", "cls"] = setting(
        "auto",
        "Pooling",
        "How the vectors of a text's tokens become one. Auto: as the model does it already, else their mean.",
        source="Sentence-BERT, arXiv 1908.10084: the mean did best",
    )
    cached_rows: int = setting(
        0,
        "Rows computed at a time",
        "Computes a large batch in parts of this many rows with the same result: less memory, slower. "
        "0: the whole batch at once.",
        unit="rows",
        source="GradCache, arXiv 2101.06983",
        ge=0,
        le=4096,
    )
    query_prompt: str = setting(
        "",
        "Before a query",
        "Words put before every query, in training and in use. Empty: as the model has it.",
        source="E5 (arXiv 2212.03533) wants “query: ”",
        max_length=2000,
    )
    passage_prompt: str = setting(
        "",
        "Before a passage",
        "Words put before every passage, in training and in use. Empty: as the model has it.",
        source="E5 (arXiv 2212.03533) wants “passage: ”",
        max_length=2000,
    )


def suggestions(adapter: str, size: int | None) -> dict[str, Suggestion]:
    """Rates by adapter and model size; the built-in starter needs a far higher one than large models, as in
    supervised fine-tuning."""
    full = adapter == "full"
    if is_tiny(size):
        return suggested(
            "Measured on the starter model: benchmarks/behaviour/light.py",
            learning_rate=1e-3 if full else 1e-2,
            num_train_epochs=6.0,
            max_length=128,
            warmup_ratio=0.08,
            hard_negatives=3,
        )
    paper = "Sentence-BERT (arXiv 1908.10084), section 3.1: 2e-5 and one epoch, for all sizes"
    rate = suggested(paper, learning_rate=2e-5) if full else suggested(TEN_TIMES, learning_rate=2e-4)
    return rate | suggested(paper, num_train_epochs=1.0)


TECHNIQUE = Technique(
    name="embedding",
    title="Embedding model",
    summary="Learns which texts belong together, for search and retrieval.",
    full_name="Contrastive fine-tuning of an embedding model with hard negatives",
    aliases=(
        "retrieval",
        "contrastive",
        "sentence-transformers",
        "InfoNCE",
        "semantic search",
        "vectors",
        "RAG",
    ),
    paper="arXiv 1908.10084",
    group="Light",
    phase=2,
    shapes=("retrieval",),
    reads="passages",
    trainer="worker.trainers.embedding:EmbeddingTrainer",
    config="worker.trainers.embedding:EmbeddingConfig",
    parameters=EmbeddingParameters,
    handbook=__doc__,
    headline=("eval_recall_at_1", "eval_mrr", "loss"),
    model="embedding",
    best_by=("eval_mrr", "higher"),
    order=20,
    suggestions=suggestions,
    metrics=[
        *common_metrics(),
        MetricInfo(
            "eval_mrr",
            "Held-out mean reciprocal rank",
            "Ranking",
            "1 when the right passage is always first, a half when it is second; 0 below place ten.",
            healthy=Healthy(
                "BM25, which compares words alone, comes to 0.19 among the 8.8 million passages of MS MARCO; "
                "a tuned model among fewer should do better",
                low=0.19,
            ),
            better="higher",
            is_share=True,
        ),
        *(
            MetricInfo(
                f"eval_recall_at_{k}",
                f"Held-out recall at {k}",
                "Ranking",
                f"Share of right passages among the first {k} found." if k > 1 else "Share found at once.",
                better="higher",
                is_share=True,
            )
            for k in (1, 5, 10)
        ),
    ],
)
