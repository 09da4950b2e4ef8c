"""What choices do beyond the trainer's arguments: to the process and to the model. Imports nothing of studio
or of the rest of worker, so that an exported script can take it along."""

import ctypes
from collections.abc import Callable
from types import MethodType
from typing import Any

import torch

RETURNED_FROM = 128 * 1024  # bytes; blocks of this size and more go back to the system when they are freed
M_MMAP_THRESHOLD = -3  # of glibc's mallopt


def return_memory(_model: Any = None) -> None:
    """Has glibc give freed blocks back at once, instead of keeping those below 32 MB for later, of which
    pieces between longer-lived ones are lost. Does nothing where the C library is another."""
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        library.mallopt(M_MMAP_THRESHOLD, RETURNED_FROM)


def attend_in_flash(model: Any) -> None:
    """Has attention run in the flash-attn library's kernels."""
    model.set_attn_implementation("flash_attention_2")


def compile_layers(model: Any, backend: str = "inductor") -> None:
    """Compiles each layer where it stands, for training only.

    One layer is compiled for all, in a fraction of a whole model's time. The mask stays outside, so that rows
    without padding need none, where transformers always makes one inside of torch.compile. And modules stay
    what they are, which accelerate's wrappers do not: names of weights, and whether the model is training.
    Each layer gets a bound method, so that in a copy of the model it is the copy's: PPO's critic is one."""
    count = model.config.get_text_config().num_hidden_layers
    stacks = [
        each for each in model.modules() if isinstance(each, torch.nn.ModuleList) and len(each) == count
    ]
    layers = [layer for stack in stacks for layer in stack]
    kinds: set[Any] = {type(layer) for layer in layers}
    forwards = {kind: _for_training(kind.forward, backend) for kind in kinds}
    for layer in layers:
        layer.forward = MethodType(forwards[type(layer)], layer)


def _for_training(usual: Callable[..., Any], backend: str) -> Callable[..., Any]:
    """Answers grow by a token a time, and evaluations are few: neither is worth compiling for."""
    compiled = torch.compile(usual, backend=backend)

    def forward(layer: Any, *given: Any, **named: Any) -> Any:
        chosen = compiled if layer.training and torch.is_grad_enabled() else usual
        return chosen(layer, *given, **named)

    return forward
