"""What an adapter is."""

from dataclasses import dataclass
from typing import Any

from studio.parameters import Parameters

# peft's word for what a model of each kind does.
TASKS = {"language": "CAUSAL_LM", "reward": "SEQ_CLS", "embedding": "FEATURE_EXTRACTION"}
ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]


@dataclass(frozen=True)
class Adapter:
    """`peft` names peft's configuration class (`"peft:LoraConfig"`, resolved by the worker), or is empty
    where all weights are trained. `fixed` are that class's arguments that make it this adapter; `bits` says
    in how many bits the weights below it are read, where that is fewer than usual, and `quantisation` how: by
    transformers' BitsAndBytesConfig."""

    name: str
    title: str
    summary: str
    parameters: type[Parameters]
    peft: str = ""
    fixed: tuple[tuple[str, Any], ...] = ()
    bits: int | None = None
    quantisation: tuple[tuple[str, Any], ...] = ()
    order: int = 100

    def arguments(self, given: dict[str, Any], makes: str) -> dict[str, Any]:
        """The arguments of peft's configuration class for a model of the kind that the technique makes."""
        found = {"task_type": TASKS[makes]} | given | dict(self.fixed)
        if given.get("target_modules") == "attention":
            found["target_modules"] = ATTENTION
        return found
