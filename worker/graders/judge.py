"""The AI judge that is a model of the studio. It does not write: the probabilities of the possible replies,
each a few tokens long, are read off one forward pass. The questions are `studio.graders.rubric`'s."""

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import torch

from studio.graders import rubric, templates
from studio.graders.base import Case, Score
from studio.graders.failures import Failures
from studio.graders.judge import Judge as Settings
from worker.graders import reading
from worker.order import ModelOrder


class Judge:
    """`failures` counts the questions that were too long."""

    def __init__(self, parameters: dict[str, Any], models: dict[str, ModelOrder]):
        self.settings = Settings(**parameters)
        templates.check(self.settings.rubric, "rubric")
        self.model, self.tokenizer = reading.load("The AI judge", models, "language")
        self.failures = Failures("The AI judge", "Raise its longest question, or shorten the rubric.")
        low, high = int(self.settings.lowest), int(self.settings.highest)
        replies = ["A", "B"] if self.settings.mode == "pair" else [str(mark) for mark in range(low, high + 1)]
        self.replies = self._tokens_of(replies)

    def __call__(self, cases: Sequence[Case]) -> list[Score]:
        ask = self._pair if self.settings.mode == "pair" else self._scale
        asked = [ask(case) for case in cases]
        # Late in a run many answers of a group are the same: each question is read once.
        questions = list(
            {question: None for found in asked if isinstance(found, tuple) for question in found}
        )
        answers = dict(zip(questions, self.probabilities(questions), strict=True))
        return [
            self._score([answers[question] for question in found]) if isinstance(found, tuple) else found
            for found in asked
        ]

    def _scale(self, case: Case) -> tuple[str, ...] | Score:
        """What to ask, or the score where nothing is to be asked."""
        try:
            return (rubric.scale_question(case, self.settings),)
        except templates.Missing as missing:
            return None if missing.namespace == "item" else 0.0

    def _pair(self, case: Case) -> tuple[str, ...] | Score:
        if case.reference in ("", None):
            return None
        try:
            return rubric.pair_questions(case, self.settings)
        except templates.Missing as missing:
            return None if missing.namespace == "item" else 0.0

    def _score(self, found: list[list[float] | None]) -> Score:
        """Pair: P(A) with the answer as A and P(B) with it as B, averaged. Scale: Σ p(mark) · mark, from 0 to
        1 between the lowest and the highest mark."""
        told = [each for each in found if each is not None]
        if len(told) < len(found):
            self.failures.note(f"The question has more than {self.settings.longest} tokens.")
            return None
        self.failures.note_score()
        if self.settings.mode == "pair":
            return (told[0][0] + told[1][1]) / 2
        last = len(self.replies) - 1
        return min(1.0, sum(place * share for place, share in enumerate(told[0])) / last)

    # ---- probabilities --------------------------------------------------------------------------------

    def probabilities(self, questions: Sequence[str]) -> list[list[float] | None]:
        """How probable each reply is among the replies; None for a question that is too long."""
        tokens = [self._question(text) for text in questions]
        fitting = [at for at, ids in enumerate(tokens) if len(ids) <= self.settings.longest]
        fitting.sort(key=lambda at: len(tokens[at]))  # like lengths together: less padding
        found: list[list[float] | None] = [None] * len(tokens)
        for start in range(0, len(fitting), self.settings.batch):
            batch = fitting[start : start + self.settings.batch]
            shares = torch.softmax(self._logs([tokens[at] for at in batch]), dim=1)  # (batch, replies)
            for at, row in zip(batch, shares.tolist(), strict=True):
                found[at] = row
        return found

    def _question(self, text: str) -> list[int]:
        if not self.tokenizer.chat_template:
            return reading.tokens(self.tokenizer, f"{text}\n\nReply:")
        # Templates that know thinking leave it out; others do not look at this.
        return reading.chat_tokens(
            self.tokenizer,
            [{"role": "user", "content": text}],
            add_generation_prompt=True,
            enable_thinking=False,
        )

    def _tokens_of(self, replies: list[str]) -> list[list[int]]:
        """The replies as tokens; with the end of the turn where one begins like another (1, 10)."""
        lead = "" if self.tokenizer.chat_template else " "
        tokens = [reading.tokens(self.tokenizer, lead + text, add_special_tokens=False) for text in replies]
        end = self.tokenizer.eos_token_id
        if end is not None and any(b[: len(a)] == a for a, b in permutations(tokens, 2)):
            tokens = [[*reply, end] for reply in tokens]
        if len({tuple(reply) for reply in tokens}) < len(tokens) or not all(tokens):
            raise rubric.cannot_tell_apart(replies)
        return tokens

    @torch.inference_mode()
    def _logs(self, questions: list[list[int]]) -> torch.Tensor:
        """log p(reply | question), (questions, replies)."""
        device = self.model.device
        if all(len(reply) == 1 for reply in self.replies):
            inputs = reading.padded(questions, self.tokenizer, left=True, device=device)
            logits = self.model(**inputs, logits_to_keep=1).logits[:, -1]  # (questions, vocabulary)
            ids = torch.tensor([reply[0] for reply in self.replies], device=device)
            return torch.log_softmax(logits.float(), dim=-1)[:, ids]
        rows = [question + reply for question in questions for reply in self.replies]
        longest = max(map(len, self.replies))
        inputs = reading.padded(rows, self.tokenizer, left=True, device=device)
        logits = self.model(**inputs, logits_to_keep=longest + 1).logits[
            :, :-1
        ]  # (rows, longest, vocabulary)
        ids = inputs["input_ids"][:, -longest:]
        logs = torch.log_softmax(logits.float(), dim=-1).gather(2, ids.unsqueeze(2)).squeeze(2)
        lengths = torch.tensor([len(reply) for reply in self.replies] * len(questions), device=device)
        of_reply = torch.arange(longest, device=device) >= longest - lengths.unsqueeze(1)
        sums = torch.where(of_reply, logs, 0.0).sum(dim=1)
        return sums.view(len(questions), len(self.replies))
