"""What a forward pass leaves in memory for the backward pass, layer by layer.

Each amount is the list of tensors that PyTorch saves in transformers' own modelling code, counted and checked
against it (`tests/worker/test_trace_memory.py`); attention is PyTorch's fused one, which keeps no matrix of
weights. After Korthikanti et al., arXiv 2205.05198, section 4, for today's layers.
"""

from dataclasses import dataclass
from typing import Literal

from studio.estimate.architecture import Architecture

Precision = Literal["float32", "bfloat16", "mixed"]
"""bfloat16: weights and arithmetic; mixed: arithmetic in bfloat16 over weights in float32 (autocast)."""


@dataclass(frozen=True)
class LoRA:
    """Low-rank matrices on some linear layers; `targets` are names of `Architecture.linears`."""

    rank: int
    targets: tuple[str, ...]
    dropout: float = 0.0
    dora: bool = False

    def weights(self, model: Architecture) -> int:
        """Trained numbers: both matrices of each target, and DoRA's magnitudes."""
        each = [
            self.rank * (linear.inputs + linear.outputs) + (linear.outputs if self.dora else 0)
            for linear in model.linears()
            if linear.name in self.targets
        ]
        return model.layers * sum(each)


@dataclass(frozen=True)
class Pass:
    """One pass of rows through a model. `masked`: rows of different lengths share a batch, so that attention
    gets a mask and heads are repeated; `compiled` leaves out what torch.compile computes again; `autocast`
    is what the Trainer does wherever bfloat16 is on."""

    model: Architecture
    rows: int
    length: int
    precision: Precision = "float32"
    lora: LoRA | None = None
    masked: bool = True
    compiled: bool = False
    autocast: bool = True

    @property
    def tokens(self) -> int:
        return self.rows * self.length

    @property
    def width(self) -> int:
        """Bytes of a number in the arithmetic."""
        return 4 if self.precision == "float32" else 2

    @property
    def residual(self) -> int:
        """Bytes of a number of the stream between layers."""
        return 2 if self.precision == "bfloat16" else 4

    def layer(self) -> float:
        """Bytes that a layer keeps for the backward pass."""
        return self.tokens * self.layer_token() + self._masks()

    def layer_token(self) -> float:
        """Bytes a token and layer."""
        return self._norms() + self._inputs() + self._attention() + self._feed_forward() + self._adapters()

    def layer_input(self) -> float:
        """Bytes that a layer keeps when its activations are checkpointed: what came into it."""
        return self.tokens * self.model.hidden * self.residual

    def last_norm(self) -> float:
        """Bytes kept by the norm before the head, and by the head of its input."""
        hidden = self.model.hidden
        kept = self._norm(hidden, self.residual) + hidden * (self.width + self.residual)
        return self.tokens * kept

    def _masks(self) -> float:
        """The mask of which token sees which, as numbers, once a layer."""
        return self.rows * self.length**2 * self.width if self.masked else 0

    def _norms(self) -> float:
        model = self.model
        heads = self._norm(model.queries + model.keys, self.width) if model.normed_heads else 0
        return model.norms * self._norm(model.hidden, self.residual) + heads

    def _norm(self, size: int, width: int) -> float:
        """RMSNorm of `size` numbers of `width` bytes: its input in float32, and the normed numbers where its
        scale is trained. Compiled, both are computed again from the input as it came."""
        if self.compiled:
            return size * width
        return size * (4 + (0 if self.lora else width))

    def _inputs(self) -> float:
        """What q, k, v and gate, up keep of what they read: once where they share it, else a copy each."""
        model = self.model
        groups = [("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj")]
        if model.experts:  # its experts' inputs are with the feed-forward part
            groups = groups[:1]
        return sum(self._kept(group, model.hidden) for group in groups)

    def _kept(self, names: tuple[str, ...], size: int) -> float:
        if not self.lora:
            copies = len(names) if self.precision == "mixed" else 1
            return copies * size * self.width
        count = sum(name in self.lora.targets for name in names)
        if self.lora.dropout:
            return count * size * (self._adapter_width() + 1)
        shared = self.precision == "float32"
        return (min(count, 1) if shared else count) * size * self._adapter_width()

    def _adapter_width(self) -> int:
        """Adapters are float32: without autocast they read a copy of their input in float32."""
        return 4 if self.precision == "float32" or not self.autocast else 2

    def _attention(self) -> float:
        model = self.model
        keys = model.queries if self.masked else model.keys
        kept = self.width * (2 * model.queries + 2 * keys) + 4 * model.heads
        alone = self.precision != "float32" or bool(self.lora and self.lora.dropout)
        return kept + (self._kept(("o_proj",), model.queries) if self.lora and alone else 0)

    def _feed_forward(self) -> float:
        """Gate, its activation, and up; then what the last matrix reads. In a mixture, of each chosen expert,
        with what goes into and comes out of it."""
        model = self.model
        inner = 3 if model.gated else 1
        if not model.experts:
            return self.width * inner * model.intermediate + self._kept(("down_proj",), model.intermediate)
        of_expert = (inner + 1) * model.expert_width + 2 * model.hidden
        shared = (inner + 1) * model.shared_width
        sparse = self.width * (model.chosen * of_expert + shared)
        dense = self.width * (inner + 1) * model.intermediate
        return (model.sparse_layers * sparse + model.dense_layers * dense) / model.layers

    def _adapters(self) -> float:
        """Between an adapter's two matrices, and DoRA's two outputs."""
        if not self.lora:
            return 0
        width = self._adapter_width()
        found = 0.0
        for linear in self.model.linears():
            if linear.name in self.lora.targets:
                found += self.lora.rank * width
                found += linear.outputs * (self.width + width) if self.lora.dora else 0
        return found
