"""Peaks that others published, beside the estimate."""

from dataclasses import dataclass
from typing import Any

from benchmarks.memory_estimate.summary import summary
from studio.estimate.activations import LoRA, Pass
from studio.estimate.architecture import read
from studio.estimate.device import UNUSABLE
from studio.estimate.training import Head, Setup, peak, trained_weights

GB, GIB = 1e9, 2**30


def _llama(
    hidden: int, wide: int, layers: int, heads: int, keys: int, words: int, **more: Any
) -> dict[str, Any]:
    return {
        "model_type": "llama",
        "hidden_size": hidden,
        "intermediate_size": wide,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": keys,
        "vocab_size": words,
    } | more


LLAMA_1B = _llama(2048, 8192, 16, 32, 8, 128256, tie_word_embeddings=True)
LLAMA_3B = _llama(3072, 8192, 28, 24, 8, 128256, tie_word_embeddings=True)
LLAMA_8B = _llama(4096, 14336, 32, 32, 8, 128256)
LLAMA2_7B = _llama(4096, 11008, 32, 32, 32, 32000)
LLAMA2_13B = _llama(5120, 13824, 40, 40, 40, 32000)
MISTRAL_7B = _llama(4096, 14336, 32, 32, 8, 32000)
TINY_LLAMA = _llama(2048, 5632, 22, 32, 4, 32000)

QUERY_VALUE = ("q_proj", "v_proj")
MLP = ("gate_proj", "up_proj", "down_proj")

TORCHTUNE = "https://github.com/pytorch/torchtune/blob/bd2a0fc7c/README.md#optimization-flags"
PEFT = "https://github.com/huggingface/peft/tree/5d602fdb/method_comparison/MetaMathQA/results"
LITGPT = "https://github.com/Lightning-AI/litgpt/blob/26857050/tutorials/resource-tables.md"
LITGPT_HUB = "https://github.com/Lightning-AI/litgpt/blob/26857050/config_hub/finetune/README.md"


@dataclass(frozen=True)
class Published:
    """A peak somebody measured. All are in pure bfloat16 with AdamW's states in the weights' precision, but
    for peft's adapters, which are float32. `unknown` says what the source does not."""

    name: str
    source: str
    peak: float  # bytes
    config: dict[str, Any]
    rows: int
    length: int
    lora: LoRA | None = None
    head: Head = "logits"
    masked: bool = False
    compiled: bool = False
    checkpointing: bool = False
    accumulates: bool = False
    tied: bool | None = None
    adapter_bytes: int = 2
    unknown: str = ""


def _dropped(rank: int) -> LoRA:
    """LitGPT's default: queries and values, with dropout."""
    return LoRA(rank, QUERY_VALUE, dropout=0.05)


def _peft(name: str, amount: float, lora: LoRA | None) -> Published:
    """Reserved by PyTorch, at most, over 5,000 steps of four rows of up to 768 tokens."""
    unknown = "whether the longest rows met in a batch"
    return Published(
        name, PEFT, amount, LLAMA_3B, 4, 768, lora, masked=True, adapter_bytes=4, unknown=unknown
    )


def _litgpt(name: str, gb: float, config: dict[str, Any], rows: int) -> Published:
    """Allocated by PyTorch; Alpaca's longest row is 1,304 tokens for Llama 2."""
    unknown = "how long the other row of the batch was" if rows > 1 else ""
    return Published(name, LITGPT, gb * GB, config, rows, 1304, _dropped(8), tied=False, unknown=unknown)


def _hub(name: str, gb: float, config: dict[str, Any], rows: int, lora: LoRA | None) -> Published:
    """LitGPT's configuration hub: rows cut at 512 tokens; embeddings are not tied in LitGPT."""
    return Published(name, LITGPT_HUB, gb * GB, config, rows, 512, lora, tied=False, accumulates=lora is None)


PUBLISHED = [
    Published("Llama 3.2 3B full, packed", TORCHTUNE, 60.0 * GIB, LLAMA_3B, 2, 4096),
    Published("… + compile", TORCHTUNE, 51.0 * GIB, LLAMA_3B, 2, 4096, compiled=True),
    Published("… + chunked loss", TORCHTUNE, 42.9 * GIB, LLAMA_3B, 2, 4096, head="chunked", compiled=True),
    Published(
        "… + checkpointing",
        TORCHTUNE,
        24.9 * GIB,
        LLAMA_3B,
        2,
        4096,
        head="chunked",
        compiled=True,
        checkpointing=True,
    ),
    _peft("Llama 3.2 3B full", 38_868_615_168, None),
    _peft("Llama 3.2 3B LoRA 32 on q, v", 22_292_725_760, LoRA(32, QUERY_VALUE)),
    _peft("Llama 3.2 3B LoRA 64 on q, v", 22_552_772_608, LoRA(64, QUERY_VALUE)),
    _peft("Llama 3.2 3B LoRA 10 on the MLP", 24_698_159_104, LoRA(10, MLP)),
    _peft("Llama 3.2 3B DoRA 32 on q, v", 24_532_484_096, LoRA(32, QUERY_VALUE, dora=True)),
    _litgpt("Llama 2 7B LoRA, 1 row", 21.30, LLAMA2_7B, 1),
    _litgpt("Llama 2 7B LoRA, 2 rows", 29.07, LLAMA2_7B, 2),
    _litgpt("Llama 2 13B LoRA, 1 row", 38.12, LLAMA2_13B, 1),
    _hub("Llama 3.2 1B LoRA", 4.49, LLAMA_1B, 1, _dropped(32)),
    _hub("Llama 3.2 3B LoRA", 9.67, LLAMA_3B, 1, _dropped(32)),
    _hub("Llama 3 8B LoRA", 19.73, LLAMA_8B, 1, _dropped(32)),
    _hub("Llama 2 7B LoRA", 19.77, LLAMA2_7B, 2, _dropped(32)),
    _hub("Mistral 7B LoRA", 20.66, MISTRAL_7B, 2, _dropped(32)),
    _hub("TinyLlama 1.1B full", 14.10, TINY_LLAMA, 4, None),
]

LEFT_OUT = [
    ("torchtune, rows after checkpointing", "optimiser in the backward pass and offloading are not ours"),
    ("torchtune, 8B on 4090 and A6000", "the flags of each run are not said"),
    ("torchtune, Llama 2 7B LoRA tutorial", "the length of the rows is not said"),
    ("LitGPT, quantised rows", "their bitsandbytes 0.41 kept the input of every matrix; ours does not"),
    ("LitGPT, Llama 3.2 1B and 3B full", "8.70 and 16.51 GB are less than their own optimiser's states"),
    ("LitGPT, phi, Falcon, StableLM, Gemma", "parallel layers, which the formula does not describe"),
    ("fsdp_qlora, Llama 2 7B LoRA", "two GPUs under FSDP: 22.04 GiB reserved, estimated 19.0 for one"),
    ("torchtitan, Llama 3.1 8B", "eight GPUs; selective checkpointing"),
]


def estimate_of(row: Published) -> float:
    """Bytes, without the GPU's context."""
    config = dict(row.config)
    if row.tied is not None:
        config["tie_word_embeddings"] = row.tied
    model = read(config)
    forward = Pass(
        model, row.rows, row.length, "bfloat16", row.lora, row.masked, row.compiled, autocast=False
    )
    setup = Setup(
        forward,
        weights=model.weights(),
        trained=trained_weights(model, forward),
        weight_bytes=2,
        width=row.adapter_bytes if row.lora else 2,
        head=row.head,
        checkpointing=row.checkpointing,
        accumulates=row.accumulates,
    )
    found = peak(setup)
    moving = found.activations + found.head + found.gradients
    return found.total + UNUSABLE * moving


def published() -> list[float]:
    """Prints the table; returns the relative errors."""
    print("\n## Published peaks (one GPU, pure bfloat16)\n")
    print("| training | rows × tokens | published GB | estimate GB | error | not known |")
    print("|---|---|---|---|---|---|")
    errors = []
    for row in PUBLISHED:
        wanted = estimate_of(row)
        errors.append(wanted / row.peak - 1)
        shape = f"{row.rows} × {row.length}"
        amounts = f"{row.peak / GB:.2f} | {wanted / GB:.2f} | {errors[-1]:+.1%}"
        print(f"| {row.name} | {shape} | {amounts} | {row.unknown or '–'} |")
    summary("published", errors)
    print("\nSources:", *sorted({row.source for row in PUBLISHED}), sep="\n- ")
    print("\nLeft out:", *(f"{name}: {why}" for name, why in LEFT_OUT), sep="\n- ")
    return errors
