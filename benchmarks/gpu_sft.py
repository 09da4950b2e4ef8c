"""Tokens a second and memory of supervised fine-tuning on a GPU: TRL's defaults against this studio.

    python benchmarks/gpu_sft.py [--rounds 2] [--steps 24] [--short] [--json FILE]
    python benchmarks/gpu_sft.py --tiny        the same code with a tiny model, also on a CPU, to try it

A model of Qwen 2.5's 1.5B shape with random weights, all of them trained, on rows of 4,096 tokens, packed,
in bfloat16, 8 rows an update. Three ways, each in a fresh process, one after the other, round after round:

* `trl`: a plain TRL script with TRL's defaults and packing.
* `trl, rows apart`: the same with 1 row × 8 accumulated. Without flash-attn, TRL lays the 8 rows end to end
  and masks each of 32,768 tokens against all; that alone would make the comparison easy.
* `studio`: `worker.train` on an order, as for any run, with what `worker.hardware` chooses. Only compiling is
  asked for: a run of so few steps would not do it.

The speed is that of the median step after warm-up, the goal 1.25 times the faster of TRL's. MFU counts
6 × (weights in matrices, the head included) + 6 × layers × width of the queries × length FLOPs a token
(causal attention), against the dense bfloat16 peak of the GPU's maker. Peak memory is what PyTorch reserved
and the context, against `studio.estimate`.
"""

import argparse
import itertools
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from studio import adapters, techniques  # noqa: E402
from studio.estimate import Device, for_run, said  # noqa: E402
from studio.estimate.architecture import read  # noqa: E402

GOAL, MFU_GOAL = 1.25, 0.50
WAYS = ("trl", "trl, rows apart", "studio")

# Dense bfloat16 TFLOP/s with tensor cores, by a part of the name that CUDA gives; the first that fits counts.
PEAKS = {
    "B200": 2250,
    "H200": 989,
    "H100 PCIe": 756,
    "H100 NVL": 835,
    "H100": 989,
    "A100": 312,
    "L40S": 362,
    "L4": 121,
    "A10": 125,
    "RTX 6000 Ada": 364,
    "RTX A6000": 155,
    "RTX 5090": 209,
    "RTX 4090": 165,
    "RTX 3090": 71,
}

QWEN = {
    "architectures": ["Qwen2ForCausalLM"],
    "model_type": "qwen2",
    "hidden_size": 1536,
    "intermediate_size": 8960,
    "num_hidden_layers": 28,
    "num_attention_heads": 12,
    "num_key_value_heads": 2,
    "vocab_size": 151936,
    "max_position_embeddings": 32768,
    "tie_word_embeddings": True,
    "rms_norm_eps": 1e-6,
    "hidden_act": "silu",
    "bos_token_id": None,
    "eos_token_id": 1,
    "pad_token_id": 0,
}
TINY = QWEN | {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "vocab_size": 2048}
TINY |= {"num_attention_heads": 2, "num_key_value_heads": 1}

MAKE = """
import json, sys
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

folder, start = sys.argv[1:]
config = AutoConfig.from_pretrained(folder)
device = "cuda" if torch.cuda.is_available() else "cpu"
torch.manual_seed(0)
with torch.device(device):
    model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
model.to("cpu").save_pretrained(folder)
AutoTokenizer.from_pretrained(start).save_pretrained(folder)
"""

# What both children share: a clock on the steps, and what they say at the end.
CLOCK = """
import json, sys, time
import torch
from transformers import TrainerCallback

given = json.load(open(sys.argv[1]))
gpu = torch.cuda.is_available()

class Clock(TrainerCallback):
    def __init__(self):
        self.ends = []

    def on_step_end(self, *_, **__):
        if gpu:
            torch.cuda.synchronize()
        self.ends.append(time.perf_counter())

def tell(clock):
    found = {"ends": clock.ends, "device": "CPU", "memory": None, "total": None}
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM"):
            found["memory"] = int(line.split()[1]) * 1024
    if gpu:
        free, total = torch.cuda.mem_get_info()
        context = total - free - torch.cuda.memory_reserved()
        found |= {"device": torch.cuda.get_device_name(0), "total": total}
        found["memory"] = torch.cuda.max_memory_reserved() + context
    print("MEASURED", json.dumps(found))

clock = Clock()
"""

PLAIN = (
    CLOCK
    + """
from datasets import Dataset
from trl import SFTConfig, SFTTrainer

rows = Dataset.from_list([json.loads(line) for line in open(given["rows"])])
trainer = SFTTrainer(
    model=given["model"],
    args=SFTConfig(
        output_dir=given["out"], packing=True, max_length=given["length"], max_steps=given["steps"],
        save_strategy="no", report_to=[], disable_tqdm=True, use_cpu=not gpu, **given["arguments"],
    ),
    train_dataset=rows,
    callbacks=[clock],
)
trainer.train()
tell(clock)
"""
)

STUDIO = (
    CLOCK
    + """
from pathlib import Path
from worker import ingredients, train
from worker.order import Order

usual = ingredients.callbacks
ingredients.callbacks = lambda order: [*usual(order), clock]
if code := train.carry_out(Order.read(Path(given["run"]))):
    raise SystemExit(code)
tell(clock)
"""
)


def flops_a_token(config: dict[str, Any], length: int) -> float:
    """Forward and backward, without what checkpointing computes again."""
    model = read(config)
    matrices = model.layer_weights() - model.layers * model.norms * model.hidden
    head = model.vocabulary * model.hidden
    return 6 * (matrices + head) + 6 * model.layers * model.queries * length


def peak_of(device: str) -> float | None:
    """FLOP/s, or None for a GPU whose peak is not in the table."""
    return next((peak * 1e12 for name, peak in PEAKS.items() if name in device), None)


class Bench:
    """A folder with the model, rows, and an order for the studio."""

    def __init__(self, folder: Path, given: argparse.Namespace):
        self.folder, self.given = folder, given
        self.config = TINY if given.tiny else QWEN
        self.length = 128 if given.tiny else 4096
        self.batch = 2 if given.tiny else 8
        self.model, self.run = folder / "model", folder / "runs" / "1"
        self.model.mkdir()
        (self.model / "config.json").write_text(json.dumps(self.config))
        child(MAKE, str(self.model), str(ROOT / "examples" / "starter-model"))
        self.rows = folder / "rows.jsonl"
        self.rows.write_text("".join(json.dumps(row) + "\n" for row in self._rows()))
        self.settings = {
            "per_device_train_batch_size": self.batch,
            "max_length": self.length,
            "packing": True,
            "max_steps": given.steps,
            "save_steps": 1_000_000,
            "logging_steps": 10,
            "sample_prompts": 0,
            "torch_compile": "auto" if given.tiny else "on",
        }

    def _rows(self) -> list[dict[str, str]]:
        """Rows that fill `length` tokens each, or short ones of an eighth to a half of it."""
        chance = random.Random(0)
        words = ["take", "two", "tablets", "by", "mouth", "daily", "with", "food", "as", "needed"]
        count = self.batch * (self.given.steps + 2)
        if not self.given.short:
            sizes = [2 * self.length] * count
        else:
            sizes = [chance.randint(self.length // 8, self.length // 2) for _ in range(4 * count)]
        return [{"prompt": "take", "completion": " ".join(chance.choices(words, k=size))} for size in sizes]

    def measure(self, way: str) -> dict[str, Any]:
        """One training: seconds of the median step, tokens a second, peak bytes."""
        given: dict[str, Any] = {
            "model": str(self.model),
            "rows": str(self.rows),
            "out": str(self.folder / "trl"),
            "length": self.length,
            "steps": self.given.steps,
            "arguments": {},
        }
        if way != "trl" or self.given.tiny:
            given["arguments"] = {"per_device_train_batch_size": self.batch}
        if way == "trl, rows apart":
            given["arguments"] = {"per_device_train_batch_size": 1, "gradient_accumulation_steps": self.batch}
        if way == "studio":
            given["run"] = str(self._order())
        order = self.folder / "given.json"
        order.write_text(json.dumps(given))
        said_ = child(STUDIO if way == "studio" else PLAIN, str(order))
        found = json.loads(next(line for line in said_.splitlines() if line.startswith("MEASURED"))[8:])
        ends = found.pop("ends")
        steps = [after - before for before, after in itertools.pairwise(ends)]
        kept = steps[len(steps) // 3 :]  # compiling and warming up are over
        found["step"] = statistics.median(kept)
        found["tokens_a_second"] = self.batch * self.length / found["step"]
        return found

    def _order(self) -> Path:
        from worker import dispatch
        from worker.order import DataOrder, ModelOrder, Order

        for old in sorted(self.run.rglob("*"), reverse=True):
            if old.is_file():
                old.unlink()
            else:
                old.rmdir()
        attempt = self.run / "attempts" / "1"
        attempt.mkdir(parents=True, exist_ok=True)
        technique, adapter = techniques.get("sft"), adapters.get("full")
        order = Order(
            run_id=1,
            attempt=1,
            kind="train",
            folder=self.run,
            spool=attempt / "spool.jsonl",
            log=attempt / "trainer.log",
            models=[ModelOrder(id=1, name="random", source=str(self.model))],
            data=DataOrder(path=self.rows, shape="instruction", title="words"),
            parameters=technique.parameters(**self.settings).model_dump(),
            adapter_parameters=adapter.parameters().model_dump(),
        )
        dispatch.fill(order, technique, adapter)
        order.write()
        return self.run

    def choices(self) -> list[dict[str, str]]:
        """What the studio chose for its last training, as its spool says."""
        spool = self.run / "attempts" / "1" / "spool.jsonl"
        lines = [json.loads(line) for line in spool.read_text().splitlines()]
        return next((line["data"] for line in lines if line.get("type", line.get("kind")) == "choices"), [])

    def estimated(self, measured: dict[str, Any]) -> int:
        """Bytes, for the device that was measured."""
        is_gpu = measured["total"] is not None
        device = Device("cuda" if is_gpu else "cpu", measured["total"], measured["device"])
        return for_run("sft", "full", self.config, self.settings, device).total


def child(script: str, *arguments: str) -> str:
    """What a process of its own prints."""
    given = os.environ | {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    given.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, *arguments],
        cwd=ROOT,
        env=given,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-4000:] + done.stdout[-1000:])
    return done.stdout


def report(bench: Bench, found: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Prints the table and the verdict; returns the figures."""
    flops = flops_a_token(bench.config, bench.length)
    device = found["studio"][0]["device"]
    peak = peak_of(device)
    weights = read(bench.config).weights()
    print(f"\n{device}; {weights / 1e9:.2f} billion weights, {flops / 1e9:.1f} GFLOP a token")
    print("| way | tokens/s (median) | rounds | MFU | peak memory |\n|---|---|---|---|---|")
    speeds: dict[str, float] = {}
    for way, rounds in found.items():
        each = [one["tokens_a_second"] for one in rounds]
        speeds[way] = statistics.median(each)
        mfu = f"{speeds[way] * flops / peak:.1%}" if peak else "–"
        most = said(max(one["memory"] for one in rounds))
        print(f"| {way} | {speeds[way]:,.0f} | {', '.join(f'{one:,.0f}' for one in each)} | {mfu} | {most} |")
    best = max(speed for way, speed in speeds.items() if way != "studio")
    ratio = speeds["studio"] / best
    memory, wanted = found["studio"][0]["memory"], bench.estimated(found["studio"][0])
    print(f"\nstudio against the faster of TRL's: {ratio:.2f}x (goal {GOAL}x)")
    print(f"studio against TRL's defaults: {speeds['studio'] / speeds['trl']:.2f}x")
    if peak:
        print(f"MFU of the studio: {speeds['studio'] * flops / peak:.1%} (goal {MFU_GOAL:.0%})")
    print(f"peak memory {said(memory)}, estimate {said(wanted)}: {wanted / memory - 1:+.1%}")
    for choice in bench.choices():
        print(f"  {choice['name']} {choice['value']}: {choice['reason']}")
    return {"device": device, "speeds": speeds, "ratio": ratio, "memory": memory, "estimate": wanted}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--short", action="store_true", help="rows of an eighth to a half of the length")
    parser.add_argument(
        "--tiny", action="store_true", help="a tiny model, also on a CPU: to see that it works"
    )
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    import torch

    if not torch.cuda.is_available() and not given.tiny:
        raise SystemExit("There is no GPU here, which this benchmark needs. --tiny tries its code on a CPU.")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), given)
        found: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
        for number in range(given.rounds):
            for way in WAYS:
                one = bench.measure(way)
                found[way].append(one)
                print(f"round {number + 1}, {way}: {one['tokens_a_second']:,.0f} tokens/s", flush=True)
        figures = report(bench, found)
    if given.json:
        given.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
