"""What would make a run fit, the cheapest change first: each with its new total.

Cheap means that it changes the result least: a smaller micro-batch with more accumulation does not change it
at all, checkpointing costs time, an adapter learns another thing than all weights do. Changes nothing itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from studio import adapters
from studio.estimate import Estimate, estimate
from studio.estimate.demand import Request, uses_bf16
from studio.estimate.quantities import said

RANK = {"r": 16, "lora_alpha": 32, "lora_dropout": 0.0, "target_modules": "all-linear"}


@dataclass(frozen=True)
class Change:
    """Settings to change, and the adapter where that changes too; `total` is the run's memory then."""

    name: str
    title: str
    why: str
    settings: dict[str, Any]
    adapter: str
    total: int
    fits: bool

    @property
    def sentence(self) -> str:
        return f"{self.title}: {said(self.total)}. {self.why}"


def changes(found: Estimate) -> list[Change]:
    """Changes that save memory, cheapest first, ending with the first that fits the device. Each builds on
    those before it where one alone is not enough. Empty where the device's memory is unknown."""
    limit = found.request.device.memory
    if limit is None or found.total <= limit:
        return []
    alone = [_made(found.request, *option) for option in _single(found.request)]
    saving = [each for each in alone if each.total < found.total]
    if any(each.fits for each in saving):
        last = next(at for at, each in enumerate(saving) if each.fits)
        return saving[: last + 1]
    return saving + _together(found.request)


def _made(before: Request, name: str, title: str, why: str, after: Request) -> Change:
    total = estimate(after).total
    changed = {key: value for key, value in after.settings.items() if before.settings.get(key) != value}
    fits = after.device.memory is not None and total <= after.device.memory
    return Change(name, title, why, changed, after.adapter.name, total, fits)


def _single(request: Request) -> Iterator[tuple[str, str, str, Request]]:
    """Each change alone: (name, title, why, changed request)."""
    yield from _smaller(request)
    if request.device.is_gpu and request.device.bf16 and not uses_bf16(request.settings, request.device):
        yield (
            "bf16",
            "bfloat16",
            "Half the bytes of weights and activations.",
            request.with_settings(bf16="on"),
        )
    if request.settings.get("activation_checkpointing") != "on" and request.technique.model != "classifier":
        why = "Activations are computed again in the backward pass: up to a third slower, same result."
        checked = request.with_settings(activation_checkpointing="on")
        yield "checkpointing", "Activation checkpointing", why, checked
    yield from _lighter(request)


def _smaller(request: Request) -> Iterator[tuple[str, str, str, Request]]:
    """Half the micro-batch and twice the accumulation, again and again."""
    batch = int(request.settings.get("per_device_train_batch_size", 1))
    steps = int(request.settings.get("gradient_accumulation_steps", 1))
    why = "The same rows an update in smaller portions: same result."
    if request.technique.reads == "passages":
        why = "The same rows an update, but each is compared with fewer others: the result changes."
    while batch > 1 and batch % 2 == 0 and request.technique.model != "classifier":
        batch, steps = batch // 2, steps * 2
        changed = {"per_device_train_batch_size": batch, "gradient_accumulation_steps": steps}
        title = f"Batches of {batch} with accumulation {steps}"
        yield f"batch_{batch}", title, why, request.with_settings(**changed)


def _lighter(request: Request) -> Iterator[tuple[str, str, str, Request]]:
    """An adapter instead of all weights, then one over weights in four bits."""
    reasons = {
        "lora": "Only small matrices learn; the weights stay as they are.",
        "qlora": "LoRA over weights in four bits: a little slower, and slightly less exact.",
    }
    for name, why in reasons.items():
        if not adapters.has(name) or not request.technique.fits_adapter(name):
            continue
        way = adapters.get(name)
        if request.adapter.name == "full" or (name == "qlora" and request.adapter.name != "qlora"):
            given = request.adapter_settings if request.adapter.peft else RANK
            yield name, way.title, why, replace(request, adapter=way, adapter_settings=given)


def _together(before: Request) -> list[Change]:
    """One change on top of another until it fits; the last try, whether it does or not."""
    titles: list[str] = []
    made: list[Change] = []
    request = before
    for wanted in ("batch", "bf16", "checkpointing", "lora", "qlora"):
        options = [each for each in _single(request) if each[0].startswith(wanted)]
        if not options:
            continue
        name, title, why, request = options[-1]
        titles.append(title)
        made = [_made(before, f"with_{name}", ", ".join(titles), why, request)]
        if made[0].fits:
            break
    return made
