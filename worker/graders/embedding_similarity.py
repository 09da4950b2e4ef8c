"""Scores by the cosine of two embeddings. A model that was trained to embed keeps its own pooling and
prompts; of any other the mean of the last hidden states is taken."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import torch

from studio.graders.base import Case, Score
from studio.graders.embedding_similarity import EmbeddingSimilarity as Settings
from studio.graders.reading import final_part, texts
from worker.graders import reading
from worker.order import ModelOrder
from worker.trainers.embedding import EmbeddingConfig, embed_with


class EmbeddingSimilarity:
    def __init__(self, parameters: dict[str, Any], models: dict[str, ModelOrder]):
        self.settings = Settings(**parameters)
        model, tokenizer = reading.load("Embedding similarity", models, "embedding")
        how = SimpleNamespace(pooling="auto", max_length=self.settings.longest)
        self.embedder = embed_with(model, cast(EmbeddingConfig, how), tokenizer).eval()
        self.embedder.max_seq_length = self.settings.longest

    def __call__(self, cases: Sequence[Case]) -> list[Score]:
        """The best over the references; None where there is none."""
        answers = [final_part(case.answer, self.settings.after).strip() for case in cases]
        wanted = [texts(case.reference) for case in cases]
        places, vectors = self._embedded([*answers, *(text for found in wanted for text in found)])
        return [
            max(
                (self._scaled(float(vectors[places[answer]] @ vectors[places[text]])) for text in found),
                default=None,
            )
            for answer, found in zip(answers, wanted, strict=True)
        ]

    @torch.inference_mode()
    def _embedded(self, given: Sequence[str]) -> tuple[dict[str, int], torch.Tensor]:
        """Where each text's vector is, and the vectors, (texts, dimensions): a text that occurs in several
        groups is embedded once."""
        unique = list(dict.fromkeys(given))
        vectors = self.embedder.encode_document(
            unique,
            batch_size=self.settings.batch,
            convert_to_tensor=True,
            normalize_embeddings=True,
            show_progress_bar=False,
        )
        return {text: place for place, text in enumerate(unique)}, vectors.float()

    def _scaled(self, cosine: float) -> float:
        """0 at the cosine of unrelated texts and below, 1 for the same."""
        return min(1.0, max(0.0, (cosine - self.settings.floor) / (1 - self.settings.floor)))
