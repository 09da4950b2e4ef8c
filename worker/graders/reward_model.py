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
        rows = [tuple(self.tokens(case)[-self.settings.longest :]) for case in cases]
        # Each conversation is read once, like lengths together: less padding.
        unique = sorted(dict.fromkeys(rows), key=len)
        found: dict[tuple[int, ...], float] = {}
        for start in range(0, len(unique), self.settings.batch):
            batch = unique[start : start + self.settings.batch]
            inputs = reading.padded(batch, self.tokenizer, left=False, device=self.model.device)
            raw = self.model(**inputs).logits[:, 0].float()  # (batch,)
            found |= zip(batch, self._placed(raw).tolist(), strict=True)
        return [found[row] for row in rows]

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
