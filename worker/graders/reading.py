"""How models that grade are loaded and fed: the studio's model a setting names, on this machine's device, and
lists of tokens as one padded batch. Scores nothing."""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from studio.errors import StudioError
from worker import model as models
from worker.order import ModelOrder


def load(
    title: str, orders: dict[str, ModelOrder], kind: str
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The model of the setting `model`, ready to score. Raises StudioError when none is named."""
    if "model" not in orders:
        raise StudioError(f"{title} has no model.", hint="Choose one in its settings.", field="model")
    on_gpu = models.gpu_ready()
    half = on_gpu and torch.cuda.is_bf16_supported()
    model, tokenizer = models.load(orders["model"], kind=kind, bf16=half)
    placed: Any = model  # transformers' own `to` has no type
    return placed.to("cuda" if on_gpu else "cpu").eval().requires_grad_(False), tokenizer


def tokens(tokenizer: PreTrainedTokenizerBase, text: str, **how: Any) -> list[int]:
    return list(tokenizer(text, **how).input_ids)


def chat_tokens(tokenizer: Any, messages: Sequence[dict[str, Any]], **how: Any) -> list[int]:
    """Messages by the tokenizer's chat template."""
    return list(tokenizer.apply_chat_template(list(messages), return_dict=True, **how)["input_ids"])


def padded(
    rows: Sequence[Sequence[int]], tokenizer: PreTrainedTokenizerBase, *, left: bool, device: Any
) -> dict[str, torch.Tensor]:
    """`input_ids`, `attention_mask` and `position_ids`, each (rows, longest)."""
    longest = max(map(len, rows))
    ids = torch.full((len(rows), longest), int(tokenizer.pad_token_id or 0))
    mask = torch.zeros_like(ids)
    for at, row in enumerate(rows):
        place = slice(longest - len(row), longest) if left else slice(0, len(row))
        ids[at, place] = torch.tensor(row)
        mask[at, place] = 1
    positions = (mask.cumsum(1) - 1).clamp(min=0)  # else padding on the left would count
    found = {"input_ids": ids, "attention_mask": mask, "position_ids": positions}
    return {name: tensor.to(device) for name, tensor in found.items()}
