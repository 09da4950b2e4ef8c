"""The shape of a model, read from its config.json: what its weights and its activations are made of.

Counts numbers, never bytes, and reads no weights. Transformers with causal attention are meant; what a
config does not say is filled in as transformers does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from studio.errors import StudioError

# Families whose feed-forward part has two matrices instead of the three of SwiGLU and its kin.
TWO_MATRICES = {
    "bloom",
    "codegen",
    "falcon",
    "gpt2",
    "gpt_bigcode",
    "gpt_neo",
    "gpt_neox",
    "gptj",
    "mpt",
    "opt",
    "phi",
    "starcoder2",
    "stablelm_epoch",
}
NORMED_HEADS = {
    "gemma3",
    "gemma3_text",
    "olmo2",
    "olmo3",
    "qwen3",
    "qwen3_moe",
}  # queries and keys are normed
FOUR_NORMS = {"gemma2", "gemma3", "gemma3_text"}  # before and after attention and feed-forward
TIED_UNLESS_SAID = {
    "bloom",
    "falcon",
    "gemma",
    "gemma2",
    "gemma3",
    "gemma3_text",
    "gpt2",
    "gpt_bigcode",
    "opt",
}
BIASED_QUERIES = {"qwen2", "qwen2_moe"}


@dataclass(frozen=True)
class Linear:
    """A matrix of every layer, under the name that adapters know it by."""

    name: str
    inputs: int
    outputs: int


@dataclass(frozen=True)
class Architecture:
    """Sizes of a decoder. `queries` and `keys` are the widths of all heads together; `experts` 0 means dense,
    else `chosen` of them work on each token."""

    hidden: int
    layers: int
    heads: int
    queries: int
    keys: int
    intermediate: int
    vocabulary: int
    tied: bool = True
    gated: bool = True
    normed_heads: bool = False
    norms: int = 2
    biases: int = 0
    positions: int = 0
    experts: int = 0
    chosen: int = 0
    expert_width: int = 0
    shared_width: int = 0
    dense_layers: int = 0

    @property
    def sparse_layers(self) -> int:
        return self.layers - self.dense_layers if self.experts else 0

    def linears(self) -> list[Linear]:
        """The matrices of a layer that an adapter can sit on. Experts are kept as one block by transformers,
        which adapters for linear layers pass by."""
        found = [
            Linear("q_proj", self.hidden, self.queries),
            Linear("k_proj", self.hidden, self.keys),
            Linear("v_proj", self.hidden, self.keys),
            Linear("o_proj", self.queries, self.hidden),
        ]
        width = self.shared_width if self.experts else self.intermediate
        if not width:
            return found
        if self.gated:
            found.append(Linear("gate_proj", self.hidden, width))
        return [*found, Linear("up_proj", self.hidden, width), Linear("down_proj", width, self.hidden)]

    def layer_weights(self) -> int:
        """Weights of all layers, their norms and biases included."""
        matrices = 3 if self.gated else 2
        attention = 2 * self.hidden * (self.queries + self.keys) + self.biases
        small = self.norms * self.hidden
        if self.normed_heads:
            small += 2 * self.queries // self.heads
        dense = matrices * self.hidden * self.intermediate
        if not self.gated:
            dense += self.intermediate + self.hidden  # such families have biases
        sparse = matrices * self.hidden * (self.experts * self.expert_width + self.shared_width)
        sparse += self.hidden * self.experts  # the router
        mlps = (self.layers - self.sparse_layers) * dense + self.sparse_layers * sparse
        return self.layers * (attention + small) + mlps

    def embedding_weights(self) -> int:
        """Those of the embedding and the output head; once where they are the same."""
        tables = 1 if self.tied else 2
        return tables * self.vocabulary * self.hidden + self.positions * self.hidden

    def weights(self) -> int:
        """All weights. Exact for Llama, Mistral, Qwen 2 and 3 and Gemma; close for the rest."""
        return self.layer_weights() + self.embedding_weights() + self.hidden


def read(config: Mapping[str, Any]) -> Architecture:
    """The architecture that a config.json describes; of a model that also sees, its language part.

    Raises StudioError where sizes are missing."""
    config = config.get("text_config") or config
    family = str(config.get("model_type", ""))
    hidden = _size(config, "hidden_size", "n_embd", "d_model")
    layers = _size(config, "num_hidden_layers", "n_layer", "num_layers")
    heads = _size(config, "num_attention_heads", "n_head", "num_heads")
    head = int(config.get("head_dim") or hidden // heads)
    groups = 1 if config.get("multi_query") else int(config.get("num_key_value_heads") or heads)
    intermediate = _first(config, "intermediate_size", "n_inner", "ffn_dim") or 4 * hidden
    experts = _first(config, "num_experts", "num_local_experts", "n_routed_experts")
    width = (_first(config, "moe_intermediate_size") or intermediate) if experts else 0
    return Architecture(
        hidden=hidden,
        layers=layers,
        heads=heads,
        queries=heads * head,
        keys=groups * head,
        intermediate=intermediate,
        vocabulary=_size(config, "vocab_size"),
        tied=bool(config.get("tie_word_embeddings", family in TIED_UNLESS_SAID)),
        gated=family not in TWO_MATRICES,
        normed_heads=family in NORMED_HEADS,
        norms=4 if family in FOUR_NORMS else 2,
        biases=_biases(config, family, heads * head, groups * head, hidden),
        positions=_first(config, "n_positions", "max_position_embeddings")
        if family in {"gpt2", "opt"}
        else 0,
        experts=experts,
        chosen=_first(config, "num_experts_per_tok", "top_k") if experts else 0,
        expert_width=width,
        shared_width=_shared(config, width) if experts else 0,
        dense_layers=_dense_layers(config, layers) if experts else 0,
    )


def _biases(config: Mapping[str, Any], family: str, queries: int, keys: int, hidden: int) -> int:
    if config.get("attention_bias") or family in TWO_MATRICES:
        return queries + 2 * keys + hidden
    return queries + 2 * keys if family in BIASED_QUERIES else 0


def _shared(config: Mapping[str, Any], width: int) -> int:
    return _first(config, "shared_expert_intermediate_size") or _first(config, "n_shared_experts") * width


def _dense_layers(config: Mapping[str, Any], layers: int) -> int:
    first = _first(config, "first_k_dense_replace")
    named = config.get("mlp_only_layers") or []
    every = _first(config, "decoder_sparse_step") or 1
    return first or len(named) or layers - layers // every


def _first(config: Mapping[str, Any], *names: str) -> int:
    return next((int(config[name]) for name in names if config.get(name)), 0)


def _size(config: Mapping[str, Any], *names: str) -> int:
    if found := _first(config, *names):
        return found
    raise StudioError(
        f"The model's config.json does not say its {names[0]}, so its memory cannot be estimated.",
        hint="Choose a language model whose config.json holds its sizes, or start without an estimate.",
        field="model",
    )
