"""QLoRA: LoRA beside weights that are kept in four bits (arXiv 2305.14314)."""

from studio.adapters.base import Adapter
from studio.adapters.lora import LoraParameters

ADAPTER = Adapter(
    name="qlora",
    title="QLoRA",
    summary="LoRA over weights in four bits: a quarter of the memory for them, a little slower.",
    parameters=LoraParameters,
    peft="peft:LoraConfig",
    bits=4,
    order=40,
)
