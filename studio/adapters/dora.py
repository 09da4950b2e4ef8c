"""DoRA: LoRA that learns the length and the direction of each weight apart (arXiv 2402.09353)."""

from studio.adapters.base import Adapter
from studio.adapters.lora import LoraParameters

ADAPTER = Adapter(
    name="dora",
    title="DoRA",
    summary="LoRA with the size of each weight learned apart. A little better at low rank, slower to train.",
    parameters=LoraParameters,
    peft="peft:LoraConfig",
    fixed=(("use_dora", True),),
    order=30,
)
