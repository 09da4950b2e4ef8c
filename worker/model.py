"""Loads a model and its tokenizer, as an order names them. Safetensors only; no remote code by default."""

from typing import Any

import torch
from peft import PeftModel
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from studio.errors import StudioError
from worker.order import ModelOrder


def load(
    order: ModelOrder, *, trust_remote_code: bool = False, bf16: bool = False
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The whole model in float32 (or bfloat16) and its tokenizer; an adapter is merged into its base."""
    shared: dict[str, Any] = {"trust_remote_code": trust_remote_code}
    dtype = torch.bfloat16 if bf16 else torch.float32
    weights = order.base or order
    try:
        tokenizer = AutoTokenizer.from_pretrained(order.source, **shared)
        model = AutoModelForCausalLM.from_pretrained(
            weights.source, dtype=dtype, use_safetensors=True, **shared
        )
    except (OSError, ValueError, SafetensorError) as problem:
        raise StudioError(
            f"“{order.name}” could not be loaded: {str(problem).splitlines()[0]}",
            hint="Check the folder, or, for a hub id, the connection and that the model exists.",
            field="model",
        ) from problem
    if order.base:
        model = PeftModel.from_pretrained(model, order.source).merge_and_unload()
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return model, tokenizer


def gpu_ready() -> bool:
    return torch.cuda.is_available()
