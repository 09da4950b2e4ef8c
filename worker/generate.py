"""Asks a model: greedy or sampled answers to prompts, batched."""

from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

from worker.data import Prompt


def render(tokenizer: PreTrainedTokenizerBase, prompt: Prompt) -> str:
    """The text a model reads: the chat template where there is one, else the plain words."""
    if prompt.messages and tokenizer.chat_template:
        return str(tokenizer.apply_chat_template(prompt.messages, tokenize=False, add_generation_prompt=True))
    return prompt.text


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
    was_training, side = model.training, tokenizer.padding_side
    model.eval()
    tokenizer.padding_side = "left"
    found: list[str] = []
    for start in range(0, len(prompts), batch_size):
        texts = [render(tokenizer, prompt) for prompt in prompts[start : start + batch_size]]
        inputs = tokenizer(
            texts, return_tensors="pt", padding=True, add_special_tokens=False, return_token_type_ids=False
        ).to(model.device)
        made = model.generate(
            **inputs,
            max_new_tokens=max_new_tokens,
            pad_token_id=tokenizer.pad_token_id,
            **({"do_sample": False} | options),
        )
        found += tokenizer.batch_decode(made[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    tokenizer.padding_side = side
    model.train(was_training)
    return found
