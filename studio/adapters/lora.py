"""LoRA: the weights stay, small low-rank matrices beside them learn (arXiv 2106.09685)."""

from typing import Literal

from studio.adapters.base import Adapter
from studio.parameters import Parameters, setting


class LoraParameters(Parameters):
    """Names and meanings are those of peft's LoraConfig."""

    r: int = setting(
        16,
        "Rank",
        "Width of the added matrices. More rank can hold more change, and takes more memory.",
        source="QLoRA (arXiv 2305.14314) found rank not critical once all layers have adapters",
        basic=True,
        ge=1,
        le=1024,
    )
    lora_alpha: int = setting(
        32,
        "Alpha",
        "Strength of the change: it is scaled by alpha / rank.",
        source="alpha = 2 × rank, the common choice",
        ge=1,
        le=4096,
    )
    lora_dropout: float = setting(
        0.0,
        "Dropout",
        "Share of the adapter's input switched off at random while training.",
        source="peft LoraConfig default",
        ge=0,
        lt=1,
    )
    target_modules: Literal["all-linear", "attention"] = setting(
        "all-linear",
        "Layers",
        "Where adapters sit. All linear layers learn better than attention alone.",
        source="QLoRA (arXiv 2305.14314), figure 2",
    )


ADAPTER = Adapter(
    name="lora",
    title="LoRA",
    summary="Small matrices beside frozen weights. A fraction of the memory; the result is a small add-on.",
    parameters=LoraParameters,
    peft="peft:LoraConfig",
    order=20,
)
