"""Turns an order's settings into the objects a TRL trainer takes. The only place that knows where our names
and TRL's differ."""

import importlib
from typing import Any

from peft import PeftConfig
from transformers import EarlyStoppingCallback, TrainerCallback

from worker import data, rewards
from worker import model as models
from worker.columns import CONVERTERS
from worker.order import Order


def resolve(name: str) -> Any:
    """`"trl:SFTTrainer"` → the class."""
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


def uses_bf16(order: Order) -> bool:
    import torch

    wish = order.parameters.get("bf16", "auto")
    return wish == "on" or (wish == "auto" and models.gpu_ready() and torch.cuda.is_bf16_supported())


def arguments(order: Order) -> Any:
    """The trainer's configuration object: the order's arguments, and what only this machine knows."""
    return resolve(order.config)(**(_of_this_machine(order) | order.arguments | _of_evaluation(order)))


def _of_this_machine(order: Order) -> dict[str, Any]:
    return {
        "output_dir": str(order.checkpoints),
        "seed": order.seed,
        "data_seed": order.seed,
        "bf16": uses_bf16(order),
        "use_cpu": not models.gpu_ready(),
        "logging_strategy": "steps",
        "logging_first_step": True,
        "save_strategy": "steps",
        "report_to": [],
        "disable_tqdm": True,
        "dataloader_pin_memory": models.gpu_ready(),
        "activation_checkpointing": order.parameters.get("activation_checkpointing") == "on",
    }


def _of_evaluation(order: Order) -> dict[str, Any]:
    if order.held_out is None:
        return {"eval_strategy": "no", "eval_steps": None}
    found: dict[str, Any] = {"eval_strategy": "steps"}
    if "per_device_eval_batch_size" not in order.arguments:
        found["per_device_eval_batch_size"] = order.arguments["per_device_train_batch_size"]
    if not keeps_best(order):
        return found
    metric, better = order.best_by
    return found | {
        "load_best_model_at_end": True,
        "metric_for_best_model": metric,
        "greater_is_better": better == "higher",
        "save_steps": order.arguments["eval_steps"],  # the best must be among the checkpoints
    }


def keeps_best(order: Order) -> bool:
    wished = order.parameters.get("keep_best") or order.parameters.get("early_stopping")
    return bool(wished) and order.held_out is not None


def callbacks(order: Order) -> list[TrainerCallback]:
    patience = order.parameters.get("early_stopping", 0)
    return [EarlyStoppingCallback(patience)] if patience and keeps_best(order) else []


def extras(order: Order, tokenizer: Any) -> dict[str, Any]:
    """What this technique's trainer takes beyond model, rows and settings: the adapter, rewards, further
    models and data."""
    found: dict[str, Any] = {"peft_config": peft_config(order)}
    if order.graders:
        found["reward_funcs"] = rewards.functions(order, tokenizer)
    how: dict[str, Any] = {"trust_remote_code": order.trust_remote_code, "bf16": uses_bf16(order)}
    for name, wanted in order.input_models.items():
        found[name] = models.load(wanted, **how)[0].eval()
    for name, data_order in order.input_data.items():
        reads = order.reads if (order.reads, data_order.shape) in CONVERTERS else "answers"
        found[name] = data.load(data_order, reads)
    return found


def loading(order: Order) -> dict[str, Any]:
    """How the adapter wants the base read: QLoRA wants it in four bits."""
    return {}


TASKS = {"language": "CAUSAL_LM", "reward": "SEQ_CLS", "embedding": "FEATURE_EXTRACTION"}


def peft_config(order: Order) -> PeftConfig | None:
    """The adapter's configuration, or None where all weights are trained."""
    if not order.peft:
        return None
    given = dict(order.adapter_parameters)
    if given.get("target_modules") == "attention":
        given["target_modules"] = ["q_proj", "k_proj", "v_proj", "o_proj"]
    return resolve(order.peft)(task_type=TASKS[order.makes], **given)
