"""Lets a model answer as it does in reinforcement learning, with tools where there are some: a rollout of
TRL's trainer, of which nothing is learned."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from trl import GRPOConfig, GRPOTrainer

from studio.rows import Row
from worker import data, ingredients, tools
from worker.order import Order


@dataclass(frozen=True)
class Acted:
    """One answer: a text or, where the prompt is a conversation, its messages, with the calls of tools and
    what came back; and its tokens."""

    completion: Any
    tokens: list[int]


class Actor:
    """Holds the model and the environments it acts in, as the order's parameters say.

    Raises StudioError where the environment does not fit the model or one of the rows."""

    def __init__(self, order: Order, model: Any, tokenizer: Any, rows: Sequence[Row]):
        given = order.parameters
        self._acted: list[Acted] = []
        self._trainer = GRPOTrainer(
            model=model,
            args=GRPOConfig(
                **ingredients.of_this_machine(order),
                per_device_train_batch_size=2,  # one group, without which it is not made
                num_generations=2,
                num_generations_eval=1,
                temperature=given["temperature"],
                max_completion_length=given["max_tokens"],
                max_tool_calling_iterations=given.get("max_tool_calling_iterations"),
            ),
            train_dataset=data.table(list(rows)),
            reward_funcs=[self._listen],
            environment_factory=tools.factory(order, tokenizer, ingredients.resolve),
            processing_class=tokenizer,
        )
        self._trainer.model.eval()

    def answer(self, rows: Sequence[Row]) -> list[Acted]:
        """One answer to each row's `prompt`, in order."""
        self._trainer._generate_and_score_completions([dict(row) for row in rows])
        return self._acted

    def _listen(self, completions: list[Any], completion_ids: list[list[int]], **_: Any) -> list[float]:
        """The reward function that the trainer asks: keeps what it is asked about."""
        pairs = zip(completions, completion_ids, strict=True)
        self._acted = [Acted(completion, tokens) for completion, tokens in pairs]
        return [0.0] * len(self._acted)
