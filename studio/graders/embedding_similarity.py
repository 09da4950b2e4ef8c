"""Embedding similarity: how near the answer lies to the reference in meaning, as an embedding model sees it
(the cosine of the two). A model that was not trained to embed finds almost any two texts alike, so the cosine
of unrelated texts can be set as the zero of the scale."""

from studio.graders.base import Grader
from studio.graders.reading import FinalPart
from studio.parameters import setting


class EmbeddingSimilarity(FinalPart):
    model: str = setting(
        "",
        "Embedding model",
        "A model that an embedding run has made, a sentence-transformers folder, or any language model (the "
        "mean of its last hidden states).",
        basic=True,
        kind="model",
    )
    floor: float = setting(
        0.0,
        "Counts as 0",
        "The cosine of unrelated texts with this model; from there up to 1 the score runs evenly.",
        basic=True,
        ge=-1,
        lt=1,
    )
    batch: int = setting(32, "Batch", "Texts the model reads at once.", ge=1, le=512)
    longest: int = setting(
        512, "Longest text", "Of longer ones the end is left out.", unit="tokens", ge=8, le=100_000
    )


GRADER = Grader(
    name="embedding_similarity",
    title="Embedding similarity",
    help="How near the answer lies to the reference in meaning.",
    parameters=EmbeddingSimilarity,
    scorer="worker.graders.embedding_similarity:EmbeddingSimilarity",
    group="Model",
    order=30,
)
