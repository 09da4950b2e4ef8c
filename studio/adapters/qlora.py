"""QLoRA: LoRA beside weights that are kept in four bits, NormalFloat, their constants quantised too (arXiv
2305.14314, sections 3 and 4)."""

from studio.adapters.base import Adapter
from studio.adapters.lora import LoraParameters

ADAPTER = Adapter(
    name="qlora",
    title="QLoRA",
    summary="LoRA over weights in four bits: a quarter of the memory for them, a little slower.",
    parameters=LoraParameters,
    peft="peft:LoraConfig",
    bits=4,
    quantisation=(
        ("load_in_4bit", True),
        ("bnb_4bit_quant_type", "nf4"),
        ("bnb_4bit_use_double_quant", True),
    ),
    order=40,
)
