"""Scores with a reward model: the head's number for the whole conversation, read at its last token, as TRL's
RewardTrainer trained it."""

from collections.abc import Sequence
from typing import Any

import torch

from studio.graders.base import Case, Score
from studio.graders.reward_model import RewardModel as Settings
from worker.graders import reading
from worker.order import ModelOrder


class RewardModel:
    def __init__(self, parameters: dict[str, Any], models: dict[str, ModelOrder]):
        self.settings = Settings(**parameters)
        self.model, self.tokenizer = reading.load("The reward model", models, "reward")

    @torch.inference_mode()
    def __call__(self, cases: Sequence[Case]) -> list[Score]:
        rows = [self.tokens(case)[-self.settings.longest :] for case in cases]
        order = sorted(range(len(rows)), key=lambda at: len(rows[at]))  # like lengths together: less padding
        found: list[Score] = [None] * len(rows)
        for start in range(0, len(order), self.settings.batch):
            batch = order[start : start + self.settings.batch]
            inputs = reading.padded(
                [rows[at] for at in batch], self.tokenizer, left=False, device=self.model.device
            )
            raw = self.model(**inputs).logits[:, 0].float()  # (batch,)
            for at, score in zip(batch, self._placed(raw).tolist(), strict=True):
                found[at] = score
        return found

    def tokens(self, case: Case) -> list[int]:
        """The conversation as the reward model was trained to read it: by the chat template, or plain text
        that ends as texts do."""
        if not case.messages or not self.tokenizer.chat_template:
            end = self.tokenizer.eos_token or ""
            return reading.tokens(self.tokenizer, case.prompt + case.answer + end)
        answer = list(case.completion) or [{"role": "assistant", "content": case.answer}]
        tools = case.row.get("tools") or None
        return reading.chat_tokens(self.tokenizer, [*case.messages, *answer], tools=tools)

    def _placed(self, raw: torch.Tensor) -> torch.Tensor:
        """(raw − centre) / spread, within ±bound where there is one."""
        scores = (raw - self.settings.centre) / self.settings.spread
        return scores.clamp(-self.settings.bound, self.settings.bound) if self.settings.bound else scores
