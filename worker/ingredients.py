"""Turns an order's settings into the objects a TRL trainer takes. The only place that knows where our names
and TRL's differ."""

import importlib
from typing import Any

from peft import PeftConfig
from transformers import PreTrainedTokenizerBase

from worker import model as models
from worker.order import Order

# Settings of ours that are not arguments of the trainer's configuration.
OURS = {
    "sample_prompts",
    "eval_rows",
    "sample_tokens",
    "loss_on",
    "warmup_ratio",
    "bf16",
    "neftune_noise_alpha",
}


def resolve(name: str) -> Any:
    """`"trl:SFTTrainer"` → the class."""
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


def uses_bf16(order: Order) -> bool:
    import torch

    wish = order.parameters.get("bf16", "auto")
    return wish == "on" or (wish == "auto" and models.gpu_ready() and torch.cuda.is_bf16_supported())


def arguments(order: Order, *, chat: bool) -> Any:
    """The trainer's configuration object. `chat` says that the rows are conversations."""
    given = order.parameters
    kept = {name: value for name, value in given.items() if name not in OURS}
    evaluates = order.held_out is not None
    only_answers = given.get("loss_on", "answers") == "answers"
    special: dict[str, Any] = {
        "warmup_steps": given["warmup_ratio"],  # below 1 it is a share (transformers 5)
        "neftune_noise_alpha": given.get("neftune_noise_alpha") or None,
        "assistant_only_loss": only_answers and chat,
        "completion_only_loss": only_answers if not chat else None,
    }
    return resolve(order.config)(
        output_dir=str(order.checkpoints),
        seed=order.seed,
        data_seed=order.seed,
        bf16=uses_bf16(order),
        use_cpu=not models.gpu_ready(),
        eval_strategy="steps" if evaluates else "no",
        logging_strategy="steps",
        logging_first_step=True,
        save_strategy="steps",
        per_device_eval_batch_size=given["per_device_train_batch_size"],
        report_to=[],
        disable_tqdm=True,
        dataloader_pin_memory=models.gpu_ready(),
        **(kept | special | ({} if evaluates else {"eval_steps": None})),
    )


def peft_config(order: Order) -> PeftConfig | None:
    """The adapter's configuration, or None where all weights are trained."""
    if not order.peft:
        return None
    given = dict(order.adapter_parameters)
    if given.get("target_modules") == "attention":
        given["target_modules"] = ["q_proj", "k_proj", "v_proj", "o_proj"]
    return resolve(order.peft)(task_type="CAUSAL_LM", **given)


def has_chat_template(tokenizer: PreTrainedTokenizerBase) -> bool:
    return bool(tokenizer.chat_template)
