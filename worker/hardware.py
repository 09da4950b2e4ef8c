"""What this machine can do for a training, chosen by us unless the person said so, each with its reason:
bfloat16, activation checkpointing, compiling, Liger kernels, vLLM. What gains nothing is left alone."""

import dataclasses
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from studio import estimate
from studio.errors import StudioError
from studio.estimate import Device
from worker.order import Order

NO_GPU = "There is no GPU on this machine."
AS_SET = "You set it so."
LONG_ENOUGH = 200  # steps; compiling takes a minute or more, which shorter runs do not earn back


@dataclass(frozen=True)
class Choice:
    """`value` is "on" or "off"; `arguments` go to the trainer's configuration where it has them."""

    name: str
    value: str
    reason: str
    arguments: dict[str, Any]

    def as_json(self) -> dict[str, str]:
        return {"name": self.name, "value": self.value, "reason": self.reason}


def choose(order: Order, model_config: dict[str, Any]) -> list[Choice]:
    """Every choice for this order on this machine. `model_config` is the model's config.json."""
    return [
        _bf16(order),
        _checkpointing(order, model_config),
        _compile(order),
        _liger(order),
        *([_vllm(order)] if order.graders and order.makes == "language" else []),
    ]


def arguments(choices: Sequence[Choice], config: Any) -> dict[str, Any]:
    """What the choices say to the trainer's configuration class, of the arguments that it has."""
    wanted = {name: value for choice in choices for name, value in choice.arguments.items()}
    if not dataclasses.is_dataclass(config):  # a function that makes one of several
        return wanted
    known = {each.name for each in dataclasses.fields(config)}
    return {name: value for name, value in wanted.items() if name in known}


def gpu_ready() -> bool:
    return torch.cuda.is_available()


def uses_bf16(order: Order) -> bool:
    return _bf16(order).value == "on"


def this_device() -> Device:
    """The GPU this process trains on, or the processor."""
    if not gpu_ready():
        return Device()
    found = torch.cuda.get_device_properties(0)
    return Device("cuda", found.total_memory, found.name, bf16=torch.cuda.is_bf16_supported())


def _choice(order: Order, name: str, on: bool, reason: str, given: dict[str, Any], wish: str = "") -> Choice:
    """The person's own wish before ours."""
    wished = order.parameters.get(wish or name, "auto")
    if wished in ("on", "off"):
        on, reason = wished == "on", AS_SET
    return Choice(
        name, "on" if on else "off", reason, {key: value if on else False for key, value in given.items()}
    )


def _bf16(order: Order) -> Choice:
    if not gpu_ready():
        return _choice(order, "bf16", False, NO_GPU, {"bf16": True})
    if torch.cuda.is_bf16_supported():
        return _choice(order, "bf16", True, "The GPU calculates in it: less memory, faster.", {"bf16": True})
    return _choice(order, "bf16", False, "The GPU does not calculate in it.", {"bf16": True})


def _checkpointing(order: Order, model_config: dict[str, Any]) -> Choice:
    given = {"activation_checkpointing": True}
    name = "activation_checkpointing"
    if not gpu_ready():
        return _choice(order, name, False, "Not needed on a processor, whose memory is large.", given)
    device = this_device()
    without = dict(order.parameters) | {name: "off"}
    try:
        needed = estimate.for_run(
            order.technique,
            order.adapter,
            model_config,
            without,
            device,
            adapter_settings=order.adapter_parameters,
        ).total
    except StudioError as unknown:
        return _choice(order, name, True, f"The memory cannot be estimated: {unknown.message}", given)
    gb, has = needed / 2**30, (device.memory or 0) / 2**30
    if gb <= has:
        return _choice(order, name, False, f"It fits without: {gb:.1f} of {has:.0f} GB.", given)
    return _choice(order, name, True, f"Without it the run would need {gb:.1f} of {has:.0f} GB.", given)


def _compile(order: Order) -> Choice:
    given = {"torch_compile": True}
    if not gpu_ready():
        return _choice(order, "torch_compile", False, NO_GPU, given)
    if order.graders:
        return _choice(order, "torch_compile", False, "Answers are of changing length.", given)
    steps = order.arguments.get("max_steps", -1)
    if 0 < steps < LONG_ENOUGH:
        return _choice(order, "torch_compile", False, f"{steps} steps do not earn it back.", given)
    if order.arguments.get("packing"):
        return _choice(order, "torch_compile", True, "Packed rows all have one length.", given)
    return _choice(
        order, "torch_compile", False, "Rows differ in length: each would be compiled anew.", given
    )


def _liger(order: Order) -> Choice:
    given = {"use_liger_kernel": True}
    if not gpu_ready():
        return _choice(order, "liger", False, NO_GPU, given)
    if not _installed("liger_kernel"):
        return _choice(order, "liger", False, "liger-kernel is not installed.", given)
    return _choice(order, "liger", True, "Fused layers: less memory, faster.", given)


def _vllm(order: Order) -> Choice:
    given = {"use_vllm": True}
    if not gpu_ready():
        return _choice(order, "vllm", False, NO_GPU, given)
    if not _installed("vllm"):
        return _choice(order, "vllm", False, "vLLM is not installed.", given)
    return _choice(order, "vllm", True, "Answers come several times faster.", given)


def _installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None
