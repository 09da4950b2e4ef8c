"""What this machine can do for a training, chosen by us unless the person said so, each with its reason:
bfloat16, activation checkpointing, compiling, FlashAttention, packed rows, Liger kernels, vLLM, and on a CPU
whether freed memory is kept. Where nothing can be gained, nothing is touched. Packing is not chosen here."""

import dataclasses
import importlib.util
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import psutil
import torch

from studio import estimate
from studio.errors import StudioError
from studio.estimate import Device, Estimate
from worker import effects
from worker.order import Order

NO_GPU = "There is no GPU on this machine."
AS_SET = "You set it so."
LONG_ENOUGH = 200  # steps; compiling takes a minute or more, which shorter runs do not earn back
BYTES_A_TOKEN = 4  # of a file of rows in English; a little more with what JSON adds
FLASH_ATTENTION_FROM = (8, 0)  # compute capability: Ampere
VLLM_SHARE = 0.3  # of the GPU's memory, which vLLM takes for itself beside the trainer: TRL's default


@dataclass(frozen=True)
class Choice:
    """`value` is "on" or "off"; `arguments` go to the trainer's configuration where it has them; `effect` is
    the function of `worker.effects` that is given the model before the trainer is made."""

    name: str
    value: str
    reason: str
    arguments: dict[str, Any] = field(default_factory=dict)
    effect: str = ""


def choose(order: Order, model_config: dict[str, Any], *, takes_flash: bool = True) -> list[Choice]:
    """Every choice for this order on this machine. `model_config` is the model's config.json; `takes_flash`
    says whether its architecture runs in flash-attn's kernels."""
    flash = _flash_attention(order, takes_flash)
    device = this_device(flash=flash.value == "on")
    checkpointing = _checkpointing(order, model_config, device)
    return [
        _bf16(order),
        checkpointing,
        flash,
        _compile(order),
        *([_packed_rows(order, device)] if order.arguments.get("packing") else []),
        _liger(order),
        *([_vllm(order, model_config, device)] if order.graders and order.makes == "language" else []),
        *([] if gpu_ready() else [_returns_memory(checkpointing)]),
    ]


def arguments(choices: Sequence[Choice], config: Any) -> dict[str, Any]:
    """What the choices say to the trainer's configuration class, of the arguments that it has."""
    wanted = {name: value for choice in choices for name, value in choice.arguments.items()}
    if not dataclasses.is_dataclass(config):  # a function that makes one of several
        return wanted
    known = {each.name for each in dataclasses.fields(config)}
    return {name: value for name, value in wanted.items() if name in known}


def settle(choices: Sequence[Choice], model: Any) -> None:
    """What the choices do to the process and to the model, before the trainer is made."""
    for choice in choices:
        if choice.effect:
            getattr(effects, choice.effect)(model)


def as_json(choices: Sequence[Choice], config: Any) -> list[dict[str, Any]]:
    """The choices as a run keeps them, with what each says to this configuration class: an exported script
    says and does the same."""
    return [dataclasses.asdict(choice) | {"arguments": arguments([choice], config)} for choice in choices]


def takes_flash(model: Any) -> bool:
    """Whether the model's architecture runs in flash-attn's kernels."""
    return bool(model._supports_flash_attn and model._can_set_attn_implementation())


def gpu_ready() -> bool:
    return torch.cuda.is_available()


def uses_bf16(order: Order) -> bool:
    return _bf16(order).value == "on"


def this_device(*, flash: bool) -> Device:
    """The GPU this process trains on, or the processor with the machine's memory; `flash` as chosen."""
    if not gpu_ready():
        return Device("cpu", psutil.virtual_memory().total)
    found = torch.cuda.get_device_properties(0)
    return Device(
        "cuda",
        found.total_memory,
        found.name,
        bf16=torch.cuda.is_bf16_supported(),
        triton=_installed("triton"),
        flash=flash,
    )


def needed(order: Order, model_config: dict[str, Any], device: Device, **settings: Any) -> Estimate:
    """The memory of an order on a device, with some settings changed.

    Raises StudioError where the config does not say the model's sizes."""
    return estimate.for_run(
        order.technique,
        order.adapter or "full",
        model_config,
        order.parameters | settings,
        device,
        adapter_settings=order.adapter_parameters,
    )


# The choices


def _choice(order: Order, name: str, on: bool, reason: str, *, effect: str = "", **given: Any) -> Choice:
    """The person's own wish before ours. `effect` and `given` hold where it is on; what is true there is
    false where off."""
    wished = order.parameters.get(name, "auto")
    if wished in ("on", "off"):
        on, reason = wished == "on", AS_SET
    off = {key: False for key, value in given.items() if value is True}
    return Choice(name, "on", reason, given, effect) if on else Choice(name, "off", reason, off)


def _bf16(order: Order) -> Choice:
    if not gpu_ready():
        return _choice(order, "bf16", False, NO_GPU, bf16=True)
    if torch.cuda.is_bf16_supported():
        return _choice(order, "bf16", True, "The GPU calculates in it: less memory, faster.", bf16=True)
    return _choice(order, "bf16", False, "The GPU does not calculate in it.", bf16=True)


def _checkpointing(order: Order, model_config: dict[str, Any], device: Device) -> Choice:
    """Off where it fits: computing activations again costs a third of the arithmetic."""
    name = "activation_checkpointing"
    given: dict[str, Any] = {name: True}
    try:
        total = needed(order, model_config, device, **{name: "off"}).total
    except StudioError as unknown:
        reason = f"The memory cannot be estimated: {unknown.message}"
        return _choice(order, name, device.is_gpu, reason, **given)
    has = device.memory or 0
    if total <= has:
        spare = f"It fits without: {estimate.said(total)} of {estimate.said(has)}."
        return _choice(order, name, False, spare, **given)
    short = f"Without it the run would need {estimate.said(total)} of {estimate.said(has)}."
    return _choice(order, name, True, short, **given)


def _compile(order: Order) -> Choice:
    on, reason = _earns_compiling(order)
    return _choice(order, "torch_compile", on, reason, effect="compile_layers")


def _earns_compiling(order: Order) -> tuple[bool, str]:
    if not gpu_ready():
        return False, NO_GPU
    if order.graders:
        return False, "Answers are of changing length."
    if order.adapter == "dora":
        return False, "DoRA breaks each layer into many pieces."
    if not order.arguments.get("packing"):
        return False, "Rows differ in length: each would be compiled anew."
    if (steps := _packed_steps(order)) < LONG_ENOUGH:
        return False, f"About {steps} steps do not earn it back."
    return True, "Packed rows are all about one length."


def _packed_steps(order: Order) -> int:
    """How many steps a run with packed rows takes; where epochs decide, about, by the size of the file."""
    given = order.arguments
    if given.get("max_steps", -1) > 0:
        return int(given["max_steps"])
    assert order.data is not None
    tokens = given["num_train_epochs"] * order.data.path.stat().st_size / BYTES_A_TOKEN
    rows = given["per_device_train_batch_size"] * given["gradient_accumulation_steps"]
    return math.ceil(tokens / (given["max_length"] * rows))


def _flash_attention(order: Order, takes_flash: bool) -> Choice:
    """Whether attention runs in the flash-attn library's kernels, which know 16 bits only. PyTorch's own are
    as good for single rows without padding; for packed or padded ones they read a mask."""
    name = "flash_attention"
    if not gpu_ready():
        return Choice(name, "off", NO_GPU)
    if not _installed("flash_attn"):
        return Choice(name, "off", "flash-attn is not installed; PyTorch's own attention is used.")
    if torch.cuda.get_device_capability(0) < FLASH_ATTENTION_FROM:
        return Choice(name, "off", "This GPU is too old for flash-attn; PyTorch's own attention is used.")
    if not uses_bf16(order):
        return Choice(name, "off", "flash-attn needs bfloat16; PyTorch's own attention is used.")
    if not takes_flash:
        return Choice(name, "off", "This kind of model does not run in flash-attn; PyTorch's own is used.")
    return Choice(name, "on", "Packed and padded rows need no mask.", effect="attend_in_flash")


def _packed_rows(order: Order, device: Device) -> Choice:
    """Whether packed rows lie end to end without padding, or, where attention would have to compare each
    with all others of the batch to mask them, go through one at a time: the same update."""
    name = "padding_free"
    if device.flash:
        return Choice(name, "on", "Packed rows lie end to end, without padding between them.")
    batch = order.arguments.get("per_device_train_batch_size", 1)
    if not gpu_ready() or batch == 1 or order.arguments.get("packing_strategy") == "wrapped":
        return Choice(name, "off", NO_GPU if not gpu_ready() else "Each packed row goes through alone.")
    steps = batch * order.arguments.get("gradient_accumulation_steps", 1)
    return Choice(
        name,
        "off",
        f"Without flash-attn packed rows go through one at a time, {steps} an update: same result.",
        {"per_device_train_batch_size": 1, "gradient_accumulation_steps": steps},
    )


def _liger(order: Order) -> Choice:
    if not gpu_ready():
        return _choice(order, "liger", False, NO_GPU, use_liger_kernel=True)
    missing = [name for name in ("triton", "liger_kernel") if not _installed(name)]
    if missing:
        reason = f"{missing[0].replace('_', '-')} is not installed."
        return _choice(order, "liger", False, reason, use_liger_kernel=True)
    return _choice(order, "liger", True, "Fused layers: less memory, faster.", use_liger_kernel=True)


def _vllm(order: Order, model_config: dict[str, Any], device: Device) -> Choice:
    """In the trainer's own process ("colocate"), where its share of the memory is free."""
    given: dict[str, Any] = {
        "use_vllm": True,
        "vllm_mode": "colocate",
        "vllm_gpu_memory_utilization": VLLM_SHARE,
    }
    if not gpu_ready():
        return _choice(order, "vllm", False, NO_GPU, **given)
    if not _installed("vllm"):
        return _choice(order, "vllm", False, "vLLM is not installed.", **given)
    try:
        total = needed(order, model_config, device).total
    except StudioError as unknown:
        return _choice(order, "vllm", False, f"The memory cannot be estimated: {unknown.message}", **given)
    free = (device.memory or 0) - total
    share = VLLM_SHARE * (device.memory or 0)
    if free < share:
        reason = (
            f"It would need {estimate.said(share)} beside the training, which leaves {estimate.said(free)}."
        )
        return _choice(order, "vllm", False, reason, **given)
    return _choice(order, "vllm", True, "Answers come several times faster.", **given)


def _returns_memory(checkpointing: Choice) -> Choice:
    name = "returns_memory"
    if checkpointing.value == "on":
        reason = "Memory is short: what is freed goes back to the system at once."
        return Choice(name, "on", reason, effect="return_memory")
    return Choice(name, "off", "Keeping freed memory for the next step is faster.")


def _installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None
