"""Turns an order's settings into the objects a TRL trainer takes. The only place that knows where our names
and TRL's differ."""

import importlib
import importlib.util
from collections.abc import Sequence
from typing import Any

import torch
from peft import PeftConfig
from transformers import BitsAndBytesConfig, EarlyStoppingCallback, TrainerCallback

from studio import adapters, rows, techniques
from studio.errors import StudioError
from worker import data, hardware, rewards, tools
from worker import model as models
from worker.hardware import Choice
from worker.order import Order


def resolve(name: str) -> Any:
    """`"trl:SFTTrainer"` → the class."""
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


def arguments(order: Order, choices: Sequence[Choice]) -> Any:
    """The trainer's configuration object: the order's arguments, and what only this machine knows."""
    config = resolve(order.config)
    return config(**(of_this_machine(order) | order.arguments | hardware.arguments(choices, config)))


def of_this_machine(order: Order) -> dict[str, Any]:
    """Arguments of every trainer that follow from the run's folder and the machine."""
    return {
        "output_dir": str(order.checkpoints),
        "seed": order.seed,
        "data_seed": order.seed,
        "bf16": False,
        "activation_checkpointing": False,
        "use_cpu": not hardware.gpu_ready(),
        "logging_strategy": "steps",
        "logging_first_step": True,
        "save_strategy": "steps",
        "report_to": [],
        "disable_tqdm": True,
        "dataloader_pin_memory": hardware.gpu_ready(),
    }


def callbacks(order: Order) -> list[TrainerCallback]:
    patience = order.parameters.get("early_stopping", 0)
    return [EarlyStoppingCallback(patience)] if patience and order.held_out else []


def extras(order: Order, tokenizer: Any, model: Any) -> dict[str, Any]:
    """What this technique's trainer takes beyond the model to train, rows and settings: the adapter, rewards,
    tools, further models and data."""
    found: dict[str, Any] = {"peft_config": peft_config(order)}
    if "reward_weights" in order.arguments:
        found["reward_funcs"] = rewards.functions(order.graders, tokenizer, model)
    if made := tools.factory(order, tokenizer, resolve):
        found["environment_factory"] = made
    how: dict[str, Any] = {"trust_remote_code": order.trust_remote_code, "bf16": hardware.uses_bf16(order)}
    for name, wanted in order.input_models.items():
        found[name] = models.load(wanted, kind=wanted.kind, **how)[0].eval()
    for each in techniques.get(order.technique).inputs:
        if data_order := order.input_data.get(each.name):
            reads = rows.further(order.reads, data_order.shape)
            found[each.name] = data.load(data_order, reads, most=each.most(order.parameters))
    return found


def loading(order: Order) -> dict[str, Any]:
    """How the adapter wants the base read: QLoRA in four bits."""
    quantisation = dict(adapters.get(order.adapter).quantisation) if order.adapter else {}
    if not quantisation:
        return {}
    if importlib.util.find_spec("bitsandbytes") is None:
        raise StudioError(
            "QLoRA needs bitsandbytes, which is not installed.",
            hint="Install it with: pip install -c constraints.txt bitsandbytes. Or choose LoRA.",
            field="adapter",
        )
    dtype = torch.bfloat16 if hardware.uses_bf16(order) else torch.float32
    return {"quantization_config": BitsAndBytesConfig(**quantisation, bnb_4bit_compute_dtype=dtype)}


def peft_config(order: Order) -> PeftConfig | None:
    """The adapter's configuration, or None where all weights are trained."""
    if not order.peft:
        return None
    return resolve(order.peft)(**adapters.get(order.adapter).arguments(order.adapter_parameters, order.makes))
