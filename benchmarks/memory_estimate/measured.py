"""Short real trainings here, beside the estimate."""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.memory_estimate.summary import summary
from studio import adapters, techniques
from studio.estimate import Device, for_run
from studio.estimate.architecture import read

ROOT = Path(__file__).parents[2]

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
