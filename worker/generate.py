"""Asks a model: greedy or sampled answers to prompts, batched."""

from typing import Any

import torch
from transformers import BatchEncoding, PreTrainedTokenizerBase

from worker.data import Prompt


def inputs_of(tokenizer: PreTrainedTokenizerBase, prompts: list[Prompt]) -> BatchEncoding:
    """What a model reads, (prompts, longest), padded on the left."""
    rows = [_tokens(tokenizer, prompt) for prompt in prompts]
    return tokenizer.pad({"input_ids": rows}, padding_side="left", return_tensors="pt")


def _tokens(tokenizer: Any, prompt: Prompt) -> list[int]:
    """By the chat template where there is one, which writes special tokens itself; else the plain words with
    the tokenizer's, as in training."""
    if prompt.messages and tokenizer.chat_template:
        found = tokenizer.apply_chat_template(prompt.messages, add_generation_prompt=True, return_dict=True)
    else:
        found = tokenizer(prompt.text)
    return list(found["input_ids"])


@torch.no_grad()
def answers(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    prompts: list[Prompt],
    *,
    max_new_tokens: int,
    batch_size: int = 16,
    **options: Any,
) -> list[str]:
    """One answer a prompt, in order. Greedy unless `options` say otherwise (generate's own names)."""
    was_training = model.training
    model.eval()
    found: list[str] = []
    for start in range(0, len(prompts), batch_size):
        inputs = inputs_of(tokenizer, prompts[start : start + batch_size]).to(model.device)
        made = model.generate(
            **inputs,
            max_new_tokens=max_new_tokens,
            pad_token_id=tokenizer.pad_token_id,
            **({"do_sample": False} | options),
        )
        found += tokenizer.batch_decode(made[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    model.train(was_training)
    return found
