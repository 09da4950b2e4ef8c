"""Loads a model and its tokenizer, as an order names them. Safetensors only; no remote code by default."""

from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from safetensors import SafetensorError
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from studio.errors import StudioError
from worker.classes import class_of
from worker.order import ModelOrder


def load(
    order: ModelOrder,
    *,
    kind: str = "language",
    trust_remote_code: bool = False,
    bf16: bool = False,
    **how: Any,
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The whole model in float32 (or bfloat16) and its tokenizer; an adapter is merged into its base, which
    may be an adapter itself. `kind` "reward" puts a head with one score on it; `how` goes to
    `from_pretrained`. Raises StudioError when the files cannot be read."""
    shared: dict[str, Any] = {"trust_remote_code": trust_remote_code}
    if order.base:
        model, _ = load(order.base, kind=kind, bf16=bf16, **shared, **how)
        fits: Any = model.base_model if order.kind == "embedding" else model
        model = PeftModel.from_pretrained(fits, order.source).merge_and_unload()
        return model, _tokenizer(order, shared, model)
    dtype = torch.bfloat16 if bf16 else torch.float32
    head = {"num_labels": 1} if kind == "reward" else {}
    try:
        model = class_of(kind, order.source, **shared).from_pretrained(
            order.source, dtype=dtype, use_safetensors=True, **head, **shared, **how
        )
    except (OSError, ValueError, SafetensorError) as problem:
        raise _unreadable(order, problem) from problem
    return model, _tokenizer(order, shared, model)


def _tokenizer(order: ModelOrder, shared: dict[str, Any], model: Any) -> PreTrainedTokenizerBase:
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(order.source, **shared)
    except (OSError, ValueError) as problem:
        raise _unreadable(order, problem) from problem
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if getattr(model.config, "pad_token_id", 0) is None:  # one that also sees keeps it with its text part
        model.config.pad_token_id = tokenizer.pad_token_id
    return tokenizer


def _unreadable(order: ModelOrder, problem: Exception) -> StudioError:
    return StudioError(
        f"“{order.name}” could not be loaded: {str(problem).splitlines()[0]}",
        hint="Check the folder, or, for a hub id, the connection and that the model exists.",
        field="model",
    )


def whole(order: ModelOrder, folder: Path, **how: Any) -> ModelOrder:
    """The same model as one folder of whole weights: an adapter is merged and written to `folder` once. For
    trainers that read the weights they start from a second time."""
    if order.base is None:
        return order
    done = folder / "model.safetensors"
    if not done.exists() and not (folder / "model.safetensors.index.json").exists():
        model, tokenizer = load(order, **how)
        being_made = folder.with_name(folder.name + ".new")
        model.save_pretrained(being_made)
        tokenizer.save_pretrained(being_made)
        being_made.rename(folder)
    return order.model_copy(update={"source": str(folder), "base": None})


def gpu_ready() -> bool:
    return torch.cuda.is_available()
