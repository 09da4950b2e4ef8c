"""Which tokens of a conversation are learned: where neither the model's chat template nor TRL can tell the
answers apart, or some answers are not to be learned, every answer becomes a row of its own."""

from typing import Any

from datasets import Dataset
from trl.chat_template_utils import get_training_chat_template, has_generation_markers

from studio import rows
from worker.order import Order


def why_by_turns(order: Order, dataset: Dataset, tokenizer: Any) -> str:
    """Why conversations have to be cut into their answers; empty where they need not."""
    if not order.arguments.get("assistant_only_loss") or "messages" not in dataset.column_names:
        return ""
    if any(rows.has_weights(row) for row in dataset):
        return "Some answers have the weight 0: each answer to be learned is a row of its own."
    if not _marks_answers(tokenizer):
        return (
            "The model's chat template does not mark its answers: each answer is a row of its own, so that "
            "only answers are learned."
        )
    return ""


def _marks_answers(tokenizer: Any) -> bool:
    if has_generation_markers(tokenizer.chat_template):
        return True
    try:
        get_training_chat_template(tokenizer)
    except ValueError:  # TRL has none for this model either
        return False
    return True
