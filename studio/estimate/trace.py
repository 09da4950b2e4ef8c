"""A trace of a training step's memory, as `worker.trace_memory` is asked for it and answers.

It goes by the actual trainer, loss and architecture, where the closed form goes by families, and takes
seconds. It needs torch, so whoever has none asks a process that has.
"""

from dataclasses import field
from typing import Any

from pydantic.dataclasses import dataclass

from studio.estimate.device import Device
from studio.techniques import Technique


@dataclass(frozen=True)
class Asked:
    """The run whose step is traced. `source` is the folder of the whole model that it begins with, of which
    only config.json and tokenizer are read; all else is as `studio.estimate.for_run` takes it."""

    technique: str
    adapter: str
    source: str
    shape: str
    settings: dict[str, Any]
    adapter_settings: dict[str, Any]
    device: Device
    weights: int = 0
    longest: int = 0
    prompt: int = 0
    others: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Trace:
    """`total` bytes at the peak, and `closed_form` for comparison; `moments` are the bytes at each of a
    step's heaviest moments, without `framework` and `slack`, which are the closed form's. `seconds` is how
    long it took."""

    total: int
    closed_form: int
    moment: str
    moments: dict[str, int]
    framework: int
    slack: int
    seconds: float
    notes: list[str] = field(default_factory=list)


def is_traced(technique: Technique) -> bool:
    """Whether its trainer makes a step of its own that can be traced."""
    return technique.model not in ("classifier", "embedding")
