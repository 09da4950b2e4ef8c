"""CPU time of a training run in the studio against the same TRL script without it.

    python benchmarks/training_cost.py [--pairs 5] [--steps 256]

Both train the same rows, model, settings and seed. The studio's side counts everything that runs for the
run: trainer, runner, and what they start; imports are in both. Runs go in pairs, one after the other, and the
median of the ratios is printed, so that a machine whose speed drifts does not decide.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

PLAIN = """
import json, sys
import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, set_seed
from trl import SFTConfig, SFTTrainer

given = json.load(open(sys.argv[1]))
rows = Dataset.from_list([{"messages": json.loads(line)["messages"]} for line in open(given["rows"])])
set_seed(42)
tokenizer = AutoTokenizer.from_pretrained(given["model"])
model = AutoModelForCausalLM.from_pretrained(given["model"], dtype=torch.float32)
torch.set_num_threads(1)
trainer = SFTTrainer(
    model=model, train_dataset=rows, processing_class=tokenizer,
    args=SFTConfig(
        output_dir=given["out"], seed=42, data_seed=42, learning_rate=2e-3, max_steps=given["steps"],
        per_device_train_batch_size=16, max_length=256, warmup_steps=0.08, lr_scheduler_type="cosine",
        logging_steps=1, logging_first_step=True, save_steps=50, save_total_limit=2, bf16=False, use_cpu=True,
        activation_checkpointing=False, assistant_only_loss=True, weight_decay=0.0, report_to=[],
        disable_tqdm=True, dataloader_pin_memory=False,
    ),
)
trainer.train()
trainer.save_model(given["out"] + "/model")
tokenizer.save_pretrained(given["out"] + "/model")
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--steps", type=int, default=256)
    given = parser.parse_args()
    os.environ |= {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as folder:
        studio = Studio(Path(folder) / "data", given.steps)
        plain_seconds, studio_seconds = [], []
        for pair in range(given.pairs + 1):
            mine, other = studio.train(), plain(Path(folder), given.steps)
            if pair:  # the first pair only warms the disk
                studio_seconds.append(mine)
                plain_seconds.append(other)
                print(
                    f"pair {pair}: studio {mine:6.2f} CPU s   TRL {other:6.2f} CPU s   {mine / other:.3f}x",
                    flush=True,
                )
        ratios = [a / b for a, b in zip(studio_seconds, plain_seconds, strict=True)]
        low, high = min(ratios), max(ratios)
        print(f"median ratio {statistics.median(ratios):.3f}x (goal 1.02x), from {low:.3f} to {high:.3f}")


def cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def plain(folder: Path, steps: int) -> float:
    """CPU seconds of the plain script, its interpreter start included."""
    order = folder / "order.json"
    rows = ROOT / "examples" / "medication_directions" / "train.jsonl"
    order.write_text(
        json.dumps(
            {
                "rows": str(rows),
                "model": str(ROOT / "examples" / "starter-model"),
                "out": str(folder / "plain"),
                "steps": steps,
            }
        )
    )
    before = cpu_of_children()
    subprocess.run([sys.executable, "-c", PLAIN, str(order)], check=True, capture_output=True)
    return cpu_of_children() - before


class Studio:
    """A studio's database and one runner process per run, as a worker would start it."""

    def __init__(self, folder: Path, steps: int):
        os.environ["TUNESMITH_DATA"] = str(folder)
        from studio import migration, sample

        migration.upgrade()
        self.steps, self.project = steps, sample.load()

    def train(self) -> float:
        """CPU seconds of runner and trainer for one whole run."""
        from studio import attempts, db, runs, sample
        from worker import placement

        with db.transaction() as session:
            config = sample.first_config(session, self.project)
            config.held_out = ""
            config.parameters = {"max_steps": self.steps, "sample_prompts": 0}
            run_id = runs.launch(session, config).id
        with db.transaction() as session:
            given = attempts.claim(session, "benchmark", placement.devices())
        assert given is not None
        line = json.dumps(
            {"run_id": run_id, "attempt": given.attempt, "kind": given.kind, "devices": given.devices}
        )
        before = cpu_of_children()
        subprocess.run(
            [sys.executable, "-m", "worker.runner"], input=line + "\n", text=True, check=True, cwd=ROOT
        )
        used = cpu_of_children() - before
        with db.reading() as session:
            assert runs.get(session, run_id).state == "succeeded", runs.get(session, run_id).error
        return used


if __name__ == "__main__":
    main()
