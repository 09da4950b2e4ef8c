"""Reads off a trainer what it does not log itself: how long it waits for data, and how much of what it reads
it learns from. Knows no technique: batches say what they hold.

Nothing is waited for on a GPU until the trainer logs: counts stay there as tensors.
"""

import time
from typing import Any

import torch

LABELS = ("labels", "completion_mask")  # where a batch says which of its tokens are learned
IGNORED = -100


class Gauges:
    """Counts since the last time they were read. `longest` is the run's longest row, where it has one."""

    def __init__(self, longest: int | None = None):
        self._longest = longest
        self._reset()

    def watch(self, trainer: Any) -> None:
        """Stands between the trainer and its batches from now on."""
        fetch, learn = trainer.get_batch_samples, trainer.training_step

        def get_batch_samples(*given: Any, **more: Any) -> Any:
            began = time.perf_counter()
            found = fetch(*given, **more)
            self._waited += time.perf_counter() - began
            return found

        def training_step(model: Any, inputs: Any, *given: Any, **more: Any) -> Any:
            self._count(inputs)
            return learn(model, inputs, *given, **more)

        trainer.get_batch_samples, trainer.training_step = get_batch_samples, training_step

    def read(self) -> dict[str, float]:
        """What is known since the last reading, by the names of `studio.techniques.metrics`."""
        passed = time.perf_counter() - self._began
        found = {"data_wait": self._waited / passed} if passed > 0 else {}
        if self._tokens:
            found["learned_tokens"] = float(self._learned) / float(self._tokens)
        if self._rows:
            found["rows_cut"] = float(self._cut) / self._rows
        self._reset()
        return found

    def _reset(self) -> None:
        self._began, self._waited = time.perf_counter(), 0.0
        self._tokens: Any = 0
        self._learned: Any = 0
        self._rows = 0
        self._cut: Any = 0

    def _count(self, inputs: Any) -> None:
        if not isinstance(inputs, dict) or not isinstance(inputs.get("input_ids"), torch.Tensor):
            return
        ids, mask = inputs["input_ids"], inputs.get("attention_mask")
        learned = next((inputs[name] for name in LABELS if name in inputs), None)
        if isinstance(learned, torch.Tensor) and learned.shape == ids.shape:
            is_learned = learned != IGNORED if "labels" in inputs else learned != 0
            self._learned = self._learned + is_learned.sum()
            self._tokens = self._tokens + (ids.numel() if mask is None else mask.sum())
        if self._longest and isinstance(mask, torch.Tensor) and mask.shape == ids.shape:
            self._rows += len(ids)
            self._cut = self._cut + (mask.sum(-1) >= self._longest).sum()
