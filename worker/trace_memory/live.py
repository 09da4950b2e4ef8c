"""Counts the memory of tensors while they live, in the parts of a training step. Knows no trainer."""

import itertools
import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import TrainerCallback


class Live(TorchDispatchMode):
    """Counts the bytes of tensors that live: each storage once, from its making to its end."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0
        self.most = 0
        self._known: dict[int, Any] = {}

    def hold(self, owner: Any) -> None:
        """Counts the weights of all models that hang on `owner`."""
        for value in vars(owner).values():
            if isinstance(value, torch.nn.Module):
                for tensor in [*value.parameters(), *value.buffers()]:
                    self.count(tensor)

    def count(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in self._known or not size:
            return

        def ended(_: Any) -> None:
            self.now -= size
            del self._known[key]

        self._known[key] = weakref.ref(storage, ended)
        self.now += size
        self.most = max(self.most, self.now)

    def forget(self) -> None:
        """Stops watching: what ends from now on is not counted."""
        self._known.clear()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = function(*args, **(kwargs or {}))
        for each in tree_leaves(made):
            if isinstance(each, torch.Tensor):
                self.count(each)
        return made


class Concrete(TorchDispatchMode):
    """Where a tensor without content is asked for a number, mostly to log it, it says one; asked for a truth,
    `truth`. Attention asks whether no row is padded: without a mask it takes less memory."""

    def __init__(self, truth: bool):
        super().__init__()
        self.truth = truth

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function is torch.ops.aten._local_scalar_dense.default:
            kind = args[0].dtype
            return self.truth if kind is torch.bool else 1.0 if kind.is_floating_point else 1
        if function is torch.ops.aten.nonzero.default:
            return args[0].new_zeros((args[0].numel(), args[0].dim()), dtype=torch.long)
        if function is torch.ops.aten.index.Tensor:
            args = (args[0], [at for index in args[1] for at in _places(index)])
        return function(*args, **(kwargs or {}))


def _places(index: torch.Tensor | None) -> list[torch.Tensor | None]:
    """A mask as the places of all its elements, as if it hid none."""
    if index is None or index.dtype is not torch.bool:
        return [index]
    return [index.new_zeros(index.numel(), dtype=torch.long) for _ in range(index.dim())]


class Windows(TrainerCallback):
    """The most memory in each part of a training's last step: until the last layer gets gradients ("loss"),
    while it does ("layer"), from when the first layer does ("end"), and while the weights are updated. A
    value model goes back before the model does, which makes a part of its own ("value"). Each is a straight
    line in the number of layers; their maximum over a whole step would not be one."""

    def __init__(self, model: Any, critic: Any, live: Live):
        self.most: dict[str, int] = {}
        self._live, self._name = live, ""
        self._first = "value" if critic is not None else "loss"
        self._listen(model, "layer", "end")
        if critic is not None:
            self._listen(critic, "value", "loss")

    def _listen(self, model: Any, last: str, first: str) -> None:
        trained = [(place(name), weight) for name, weight in model.named_parameters() if weight.requires_grad]
        layers = sorted({layer for layer, _ in trained} - {-1})
        for layer, weight in trained:
            if layers and layer in (layers[0], layers[-1]):
                name = first if layer == layers[0] else last
                weight.register_post_accumulate_grad_hook(self._entering(name))

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self.most = {}
        self.enter(self._first)

    def on_substep_end(self, *_: Any, **__: Any) -> None:
        self.enter(self._first)

    def on_pre_optimizer_step(self, *_: Any, **__: Any) -> None:
        self.enter("update")

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.leave()

    def enter(self, name: str) -> None:
        if name != self._name:
            self.leave()
            self._name, self._live.most = name, self._live.now

    def leave(self) -> None:
        if self._name:
            self.most[self._name] = max(self.most.get(self._name, 0), self._live.most)
        self._name = ""

    def _entering(self, name: str) -> Callable[[Any], None]:
        return lambda _: self.enter(name)


def place(name: str) -> int:
    """The layer that a weight belongs to, -1 for none."""
    pairs = itertools.pairwise(name.split("."))
    return next((int(number) for part, number in pairs if part == "layers" and number.isdigit()), -1)
