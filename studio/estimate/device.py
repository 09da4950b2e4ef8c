"""What a machine's own memory costs a training: libraries, the GPU's context, and what allocators keep.

The figures of a CPU are measured by `benchmarks/memory_estimate`; those of a GPU are customary ones.
"""

from dataclasses import dataclass
from typing import Literal

from studio.estimate.quantities import GIGA, MEGA
from studio.estimate.training import Peak, Setup

LIBRARIES = 532 * MEGA  # a trainer's process after its imports: Python, torch, transformers, TRL, peft
GROWTH = 52 * MEGA  # what its first steps add: tokenizer, rows, trainer, code pages touched
CONTEXT = int(0.5 * GIGA)  # CUDA context and kernels loaded
WORKSPACE = 32 * MEGA  # of cuBLAS
UNUSABLE = 0.03  # share of what comes and goes that a GPU's caching allocator cannot use again
MAPPED_FROM = 32 * MEGA  # glibc returns blocks above this at once, and keeps the smaller ones
CPU_KEEPS = {"full": (1.2, 0.2), "adapter": (3.4, 0.43)}  # layers: at least, and for each layer


@dataclass(frozen=True)
class Device:
    """Where a training runs. `memory` in bytes, None where unknown; `flash` says that attention needs no mask
    for packed or padded rows; `libraries` replaces the usual size of a process after its imports; `returns`
    says that freed memory goes back at once (`worker.hardware`)."""

    kind: Literal["cuda", "cpu"] = "cpu"
    memory: int | None = None
    name: str = ""
    bf16: bool = True
    triton: bool = True
    flash: bool = False
    libraries: int | None = None
    returns: bool = False

    @property
    def is_gpu(self) -> bool:
        return self.kind == "cuda"

    @property
    def title(self) -> str:
        return self.name or ("GPU" if self.is_gpu else "CPU")

    def framework(self) -> tuple[int, str]:
        """Bytes taken before the first tensor, and what they are."""
        if self.is_gpu:
            return CONTEXT + WORKSPACE, "The GPU's context, its loaded kernels and cuBLAS' workspace."
        return (self.libraries or LIBRARIES) + GROWTH, "Python and the libraries, tokenizer and rows."

    def slack(self, setup: Setup, peak: Peak) -> tuple[float, str]:
        """Bytes an allocator holds beyond what is in use.

        On a CPU, glibc keeps freed blocks below 32 MB, and those between long-lived ones are of no use to
        larger tensors: about two layers' activations where all weights learn, more beside adapters, whose
        tensors are of more sizes. Fitted to measured trainings; it varies by a third from shape to shape."""
        if self.is_gpu:
            moving = peak.activations + peak.head + peak.gradients + peak.cache
            return UNUSABLE * moving, "What the GPU's allocator cannot use again between tensors."
        why = "Freed memory that the C library keeps in pieces too small to use again."
        if self.returns or peak.moment == "update":
            return 0, why
        forward = setup.forward
        largest = forward.tokens * forward.model.intermediate * forward.width
        small = forward.layer() * min(1.0, MAPPED_FROM / max(largest, 1))
        least, per_layer = CPU_KEEPS["adapter" if forward.lora else "full"]
        layers = forward.model.layers
        return small * (least + per_layer * layers), why
