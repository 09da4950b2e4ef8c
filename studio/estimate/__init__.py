"""How much memory a run will need, before it starts: a closed form, quick enough for every keystroke.

`for_run` gives an `Estimate`: its parts and a sentence for each; `advice.changes` says what would make the
run fit. How it is counted stands in `training` and `activations`; how well that does, in
`benchmarks/memory_estimate`. Nothing is loaded or traced: that is `worker.trace_memory`, on request
(`trace`). How long a run takes is estimated in `time`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from studio import adapters, techniques
from studio.adapters import Adapter
from studio.estimate.demand import Demand, Request, demand, uses_bf16
from studio.estimate.device import Device
from studio.estimate.quantities import GIGA, said
from studio.estimate.training import MOMENTS, Peak, Setup, peak
from studio.parameters import Parameters
from studio.techniques import Technique

__all__ = ["Device", "Estimate", "Part", "Request", "estimate", "fits", "for_run", "said", "uses_bf16"]


@dataclass(frozen=True)
class Part:
    """One share of the memory: its bytes at the peak, and why it is there."""

    name: str
    title: str
    bytes: int
    why: str


@dataclass(frozen=True)
class Estimate:
    """Bytes at the peak, in parts. `moment` says when that is; `checkpointing` whether activations are
    counted as checkpointed; `notes` are what had to be assumed."""

    parts: tuple[Part, ...]
    moment: str
    checkpointing: bool
    notes: tuple[str, ...]
    request: Request = field(repr=False)

    @property
    def total(self) -> int:
        return sum(part.bytes for part in self.parts)

    @property
    def sentence(self) -> str:
        return f"About {said(self.total)} at the peak, {self.moment}."

    def part(self, name: str) -> Part:
        return next(part for part in self.parts if part.name == name)


def for_run(
    technique: Technique | str,
    adapter: Adapter | str,
    model_config: Mapping[str, Any],
    settings: Mapping[str, Any],
    device: Device,
    *,
    adapter_settings: Mapping[str, Any] | None = None,
    weights: int = 0,
    longest: int = 0,
    prompt: int = 0,
    others: Mapping[str, Mapping[str, Any]] | None = None,
) -> Estimate:
    """The memory of a run on a device. Settings that are left out have their defaults.

    `model_config` is the model's config.json; `weights` its true number of weights, where known; `longest`
    and `prompt` the tokens of the longest row and prompt; `others` the configs of further models, by the name
    of the technique's input, or by any name for those of graders.

    Raises StudioError where the config does not say the model's sizes."""
    kind = techniques.get(technique) if isinstance(technique, str) else technique
    way = adapters.get(adapter) if isinstance(adapter, str) else adapter
    request = Request(
        technique=kind,
        adapter=way,
        config=model_config,
        settings=_complete(kind.parameters, settings) | kind.fixed,
        adapter_settings=_complete(way.parameters, adapter_settings or {}),
        device=device,
        weights=weights,
        longest=longest,
        prompt=prompt,
        others=others or {},
    )
    return estimate(request)


def _complete(kind: type[Parameters], given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: field.default for name, field in kind.model_fields.items()} | dict(given)


def estimate(request: Request) -> Estimate:
    """The memory of what is requested."""
    wanted = demand(request)
    heaviest = peak(wanted.setup)
    return Estimate(
        parts=tuple(part for part in _parts(wanted, heaviest) if part.bytes),
        moment=MOMENTS[heaviest.moment],
        checkpointing=wanted.setup.checkpointing,
        notes=wanted.notes,
        request=request,
    )


def fits(total: float, device_gb: float) -> bool:
    """Whether `total` bytes fit on a device of so many GB (of 1,024³ bytes, as GPUs are sold)."""
    return total <= device_gb * GIGA


def _parts(wanted: Demand, heaviest: Peak) -> list[Part]:
    setup, device = wanted.setup, wanted.device
    framework, of_framework = device.framework()
    slack, of_slack = device.slack(setup, heaviest)
    return [
        Part("weights", "Weights", round(heaviest.weights), _of_weights(setup)),
        *[
            Part(name.replace(" ", "_"), name.capitalize(), round(amount), OF_COPIES.get(name, OF_OTHERS))
            for name, amount in heaviest.copies
        ],
        Part("gradients", "Gradients", round(heaviest.gradients), _of_gradients(setup)),
        Part("optimiser", "Optimiser", round(heaviest.optimiser), _of_optimiser(setup)),
        Part("activations", "Activations", round(heaviest.activations), _of_activations(setup)),
        Part("head", "Output and loss", round(heaviest.head), OF_HEADS[setup.head]),
        Part("cache", "Generation", round(heaviest.cache), _of_cache(setup)),
        Part("slack", "Allocator", round(slack), of_slack),
        Part("framework", "Libraries" if not device.is_gpu else "GPU context", framework, of_framework),
    ]


OF_COPIES = {
    "reference model": "The model as it was at the start, to measure how far training moves.",
    "value model": "A second model that learns to foresee rewards, with what its own training holds.",
}
OF_OTHERS = "A further model that the run asks."
OF_HEADS = {
    "fused": "Logits a tile at a time, and the gradients of the last states and of the output table.",
    "logits": "Logits of all tokens, in single precision for the loss, and their gradients.",
    "chunked": "Logits of all tokens, in single precision an eighth at a time, and their gradients.",
    "divergence": "Logits of student and teacher a tile at a time, and gradients of the student's.",
    "none": "",
}


def _millions(count: float) -> str:
    return f"{count / 1e9:.2f} billion" if count >= 1e9 else f"{count / 1e6:,.1f} million"


def _of_weights(setup: Setup) -> str:
    each = f"{setup.weight_bytes:.3g}"
    beside = f", and {_millions(setup.trained)} of the adapter at 4" if setup.forward.lora else ""
    return f"{_millions(setup.weights)} weights at {each} bytes{beside}."


def _of_gradients(setup: Setup) -> str:
    kept = " Kept from batch to batch, as they are added up." if setup.accumulates else ""
    return f"{setup.width} bytes for each of {_millions(setup.trained)} trained weights.{kept}"


def _of_optimiser(setup: Setup) -> str:
    return f"AdamW's two running means of {setup.width} bytes for each of {_millions(setup.trained)} weights."


def _of_activations(setup: Setup) -> str:
    forward = setup.forward
    rows = f"{forward.rows} sequences of {forward.length:,} tokens through {forward.model.layers} layers"
    if setup.checkpointing:
        return f"{rows}: what comes into each layer, and all of one layer at a time."
    return f"{rows}, {said(forward.layer_token())} a token and layer."


def _of_cache(setup: Setup) -> str:
    if not setup.generation:
        return ""
    made = setup.generation
    return f"Keys and values of {made.answers} answers of up to {made.length:,} tokens with their prompts."
