"""What an adapter is."""

from dataclasses import dataclass

from studio.parameters import Parameters


@dataclass(frozen=True)
class Adapter:
    """`peft` names peft's configuration class (`"peft:LoraConfig"`, resolved by the worker), or is empty
    where all weights are trained."""

    name: str
    title: str
    summary: str
    parameters: type[Parameters]
    peft: str = ""
    order: int = 100
