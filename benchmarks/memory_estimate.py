"""How far the memory estimate is off: against published peaks, and against trainings measured here.

    python benchmarks/memory_estimate.py [--published | --measured] [--trace] [--only TEXT] [--json FILE]

**Published.** Peaks of trainings on one GPU whose whole configuration is known: model, rows, precision,
optimiser, checkpointing, adapter. They are of other programs (torchtune, peft, LitGPT), so the estimate is
told how these make their loss; everything else is the formula of `studio.estimate`. The context of CUDA is
left out, as in what they publish. What was left out, and why, is printed below the table.

**Measured.** Short real trainings of random models by this studio's trainer, each in a fresh process, on a
CPU by resident size. The libraries' share is measured in the same process, after its imports. `--trace`
traces each of them, too (`worker.trace_memory`). Where there is a GPU, its memory is measured instead.

Goal: median within 10 %, never under by more than 5 %.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from studio import adapters, techniques  # noqa: E402
from studio.estimate import Device, for_run  # noqa: E402
from studio.estimate.activations import LoRA, Pass  # noqa: E402
from studio.estimate.architecture import read  # noqa: E402
from studio.estimate.device import UNUSABLE  # noqa: E402
from studio.estimate.training import Head, Setup, peak, trained_weights  # noqa: E402

GB, GIB = 1e9, 2**30


# ---- published ---------------------------------------------------------------------------------------------


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


# ---- measured ----------------------------------------------------------------------------------------------

CHILD = """
import gc, json, sys
from pathlib import Path
from worker import standby

standby.warm()
import torch
from worker import hardware, train
from worker.order import Order

def memory(name):
    for line in open("/proc/self/status"):
        if line.startswith(name):
            return int(line.split()[1]) * 1024

order = Order.read(Path(sys.argv[1]))
base = memory("VmRSS")
if code := train.carry_out(order):
    raise SystemExit(code)
found = {"base": base, "peak": memory("VmHWM"), "device": "cpu", "total": None}
if hardware.gpu_ready():
    free, total = torch.cuda.mem_get_info()
    reserved = torch.cuda.memory_reserved()
    context = total - free - reserved
    found |= {"base": context, "peak": torch.cuda.max_memory_reserved() + context, "device": "cuda"}
    found["total"] = total
print("MEASURED", json.dumps(found))
"""

MAKE = """
import sys
from pathlib import Path
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

folder, start = Path(sys.argv[1]), sys.argv[2]
torch.manual_seed(0)
model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder), dtype=torch.float32)
model.save_pretrained(folder)
AutoTokenizer.from_pretrained(start).save_pretrained(folder)
"""

WORDS = "take two tablets by mouth daily with food for seven days as needed "


@dataclass(frozen=True)
class Training:
    """A short training of a random Qwen 3. `length` are the tokens of the longest row, or of an answer."""

    technique: str
    adapter: str
    hidden: int
    layers: int
    batch: int
    length: int
    vocabulary: int = 2048
    accumulation: int = 1
    checkpointing: bool = False
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        more = " ckpt" if self.checkpointing else ""
        return f"{self.technique} {self.adapter} {self.hidden}×{self.layers}{more}"

    @property
    def config(self) -> dict[str, Any]:
        heads = self.hidden // 32
        return {
            "architectures": ["Qwen3ForCausalLM"],
            "model_type": "qwen3",
            "hidden_size": self.hidden,
            "intermediate_size": 3 * self.hidden,
            "num_hidden_layers": self.layers,
            "num_attention_heads": heads,
            "num_key_value_heads": heads // 2,
            "head_dim": 32,
            "vocab_size": self.vocabulary,
            "tie_word_embeddings": True,
            "max_position_embeddings": 4096,
            "eos_token_id": 1,
            "pad_token_id": 0,
        }

    @property
    def settings(self) -> dict[str, Any]:
        online = techniques.get(self.technique).reads == "prompts"
        return {
            "per_device_train_batch_size": self.batch,
            "gradient_accumulation_steps": self.accumulation,
            "max_completion_length" if online else "max_length": self.length,
            "activation_checkpointing": "on" if self.checkpointing else "off",
            "max_steps": 3,
            "sample_prompts": 0,
        } | self.extra


# Other shapes than those to which the CPU allocator's share was fitted (`studio.estimate.device`).
TRAININGS = [
    Training("sft", "full", 384, 6, 16, 192),
    Training("sft", "full", 640, 8, 4, 384),
    Training("sft", "full", 320, 12, 8, 256, vocabulary=12000),
    Training("sft", "full", 448, 8, 4, 192, accumulation=4),
    Training("sft", "full", 768, 6, 8, 128),
    Training("sft", "full", 512, 10, 8, 384, checkpointing=True),
    Training("sft", "full", 640, 8, 8, 256, checkpointing=True),
    Training("sft", "lora", 448, 6, 8, 320),
    Training("sft", "lora", 640, 10, 4, 256),
    Training("sft", "lora", 512, 12, 8, 256, checkpointing=True),
    Training("dpo", "full", 384, 8, 4, 256),
    Training("dpo", "lora", 448, 6, 4, 192),
    Training("grpo", "full", 384, 6, 8, 96, extra={"num_generations": 4}),
    Training("grpo", "lora", 448, 6, 8, 128, extra={"num_generations": 4}),
]


def measured(only: str, traced: bool) -> list[dict[str, Any]]:
    """Trains, prints the table, returns its rows."""
    print("\n## Measured here\n")
    print(
        "| training | M weights | batch × tokens | libraries MB | measured MB | estimate MB | error |", end=""
    )
    print(" of the rest | trace |")
    print("|---|---|---|---|---|---|---|---|---|")
    found = []
    for training in TRAININGS:
        if only not in training.name:
            continue
        with tempfile.TemporaryDirectory() as folder:
            row = _compared(training, Path(folder), traced)
        found.append(row)
        trace = "–" if row["trace_error"] is None else f"{row['trace_error']:+.1%}"
        print(
            f"| {training.name} | {row['weights'] / 1e6:.1f} | {training.batch} × {training.length} "
            f"| {_mb(row['base'])} | {_mb(row['peak'])} | {_mb(row['estimate'])} | {row['error']:+.1%} "
            f"| {row['error_of_rest']:+.1%} | {trace} |",
            flush=True,
        )
    summary("measured, whole process", [row["error"] for row in found])
    summary("measured, beyond the libraries", [row["error_of_rest"] for row in found])
    if traces := [row["trace_error"] for row in found if row["trace_error"] is not None]:
        summary("traced, whole process", traces)
    return found


def _mb(amount: float) -> str:
    return f"{amount / 2**20:,.0f}"


def _compared(training: Training, folder: Path, traced: bool) -> dict[str, Any]:
    run = _order(training, folder)
    ran = _child([sys.executable, "-W", "ignore", "-c", CHILD, str(run)])
    got = json.loads(next(line for line in ran.splitlines() if line.startswith("MEASURED"))[8:])
    device = Device(got["device"], got["total"], libraries=got["base"])
    found = for_run(
        training.technique,
        training.adapter,
        training.config,
        training.settings,
        device,
        prompt=PROMPT_TOKENS,
    )
    rest = got["peak"] - got["base"]
    trace_error = None
    if traced:
        known = ["--prompt", str(PROMPT_TOKENS)]
        line = _child([sys.executable, "-W", "ignore", "-m", "worker.trace_memory", str(run), *known])
        trace = json.loads(line.splitlines()[-1])
        total = trace["total"] - trace["framework"] + device.framework()[0]
        trace_error = total / got["peak"] - 1
    return {
        "training": asdict(training),
        "weights": read(training.config).weights(),
        "base": got["base"],
        "peak": got["peak"],
        "estimate": found.total,
        "error": found.total / got["peak"] - 1,
        "error_of_rest": (found.total - got["base"]) / rest - 1,
        "trace_error": trace_error,
    }


PROMPT_TOKENS = 32


def _order(training: Training, folder: Path) -> Path:
    """A run's folder with a model, rows and an order; no database."""
    from worker import dispatch
    from worker.order import DataOrder, GraderOrder, ModelOrder, Order

    model, run = folder / "model", folder / "runs" / "1"
    model.mkdir()
    (run / "attempts" / "1").mkdir(parents=True)
    (model / "config.json").write_text(json.dumps(training.config))
    starter = ROOT / "examples" / "starter-model"
    _child([sys.executable, "-W", "ignore", "-c", MAKE, str(model), str(starter)])
    shape, rows = _rows(training)
    (run / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    technique, adapter = techniques.get(training.technique), adapters.get(training.adapter)
    graded = [GraderOrder(name="exact_match", grader="exact_match")] if technique.graded else []
    order = Order(
        run_id=1,
        attempt=1,
        kind="train",
        folder=run,
        spool=run / "attempts" / "1" / "spool.jsonl",
        log=run / "attempts" / "1" / "trainer.log",
        models=[ModelOrder(id=1, name="random", source=str(model))],
        data=DataOrder(path=run / "rows.jsonl", shape=shape, title="words"),
        parameters=technique.parameters(**training.settings).model_dump(),
        adapter_parameters=adapter.parameters().model_dump(),
        graders=graded,
    )
    dispatch.fill(order, technique, adapter)
    order.write()
    return run


def _rows(training: Training) -> tuple[str, list[dict[str, Any]]]:
    """Every second row is longer than the longest: batches are as large as they may be, and padded."""
    count = 8 * training.batch * training.accumulation
    texts = [WORDS * (training.length // (6 if number % 2 else 10)) for number in range(count)]
    if training.technique == "grpo":
        prompt = " ".join(WORDS.split()[:12])
        return "prompt", [{"prompt": prompt, "reference_answer": str(n)} for n in range(count)]
    if training.technique == "dpo":
        return "preference", [{"prompt": "take", "chosen": text, "rejected": text} for text in texts]
    return "instruction", [{"prompt": "take", "completion": text} for text in texts]


def _child(command: list[str]) -> str:
    """What a process of its own prints; its environment is a trainer's."""
    given = os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive", "HF_HUB_OFFLINE": "1"}
    given |= {"TOKENIZERS_PARALLELISM": "false"}
    given.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:] + done.stdout[-1000:])
    return done.stdout


# ---- both --------------------------------------------------------------------------------------------------


def summary(name: str, errors: list[float]) -> None:
    """Median of the absolute errors, and the worst on the wrong side."""
    if not errors:
        return
    median, least = statistics.median(abs(error) for error in errors), min(errors)
    verdict = "met" if median <= 0.10 and least >= -0.05 else "missed"
    print(
        f"\n{name}: {len(errors)} rows, median error {median:.1%} (goal 10 %), lowest {least:+.1%} "
        f"(goal -5 %), highest {max(errors):+.1%}: {verdict}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--published", action="store_true", help="only these")
    parser.add_argument("--measured", action="store_true", help="only these")
    parser.add_argument("--trace", action="store_true", help="trace each measured training too")
    parser.add_argument("--only", default="", help="trainings whose name holds this")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found: dict[str, Any] = {}
    if not given.measured:
        found["published"] = published()
    if not given.published:
        found["measured"] = measured(given.only, given.trace)
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
