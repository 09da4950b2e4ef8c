"""CPU time of a training run in the studio against the same script without it, technique by technique.

    python benchmarks/training_cost.py [--only sft dpo] [--pairs 3] [--steps 256] [--by-hand]

The plain side is the run's own exported script (`tunesmith run script`), which gives the same losses; for SFT
it can also be a script written by hand (`--by-hand`), so that the export is not its own judge. Both train the
same rows, model, settings and seed. The studio's side counts everything that runs for the run: trainer,
runner, and what they start; imports are in both. Runs go in pairs, one after the other, and the median of the
ratios is printed, so that a machine whose speed drifts does not decide. `--steps` is for SFT, whose steps are
the shortest; the others make as many as take about as long. A further model that a technique reads is the
starter model, too. A script that does not run is said to, and counts as a failure of the benchmark.
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
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
EXAMPLES = ROOT / "examples"
GOAL = 1.02

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

# Which dataset teaches each shape: the sample's, and further ones of the examples.
DATA = {
    "chat": "Medication directions: labelled",
    "preference": "Medication directions: preference pairs",
    "labelled": "Medication directions: thumbs",
    "prompt": "Medication directions: prompts",
    "text": "text",
    "retrieval": "retrieval",
    "classification": "classification",
}
FURTHER = {"retrieval": "direction_search", "classification": "content_quality"}
# How many steps of a technique, or of those of a shape, take about as long as SFT's 256.
STEPS = {"preference": 60, "labelled": 80, "prompt": 12, "retrieval": 60, "distillation": 120}
SMALL = {
    "num_generations": 4,
    "max_completion_length": 32,
    "per_device_train_batch_size": 32,
    "teacher_answers": 1,
    "threshold": 0.0,  # every answer of the teacher is good enough to be learned
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", nargs="+", default=None)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--steps", type=int, default=256)
    parser.add_argument("--by-hand", action="store_true")
    given = parser.parse_args()
    os.environ |= {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as folder:
        studio = Studio(Path(folder) / "data")
        failed = []
        for name in given.only or studio.techniques():
            try:
                compare(studio, name, given.pairs, given.steps, Path(folder), by_hand=given.by_hand)
            except subprocess.CalledProcessError as problem:
                last = (problem.stderr or b"").decode(errors="replace").strip().rpartition("\n")[2]
                print(f"{name}: its script does not run: {last}", flush=True)
                failed.append(name)
    if failed:
        sys.exit(f"No figure for {', '.join(failed)}.")


def compare(studio: "Studio", name: str, pairs: int, steps: int, folder: Path, *, by_hand: bool) -> None:
    """Prints every pair and the median of the ratios. Raises CalledProcessError where a script fails."""
    ratios = []
    for pair in range(pairs + 1):
        mine, run_id = studio.train(name, steps)
        if by_hand:
            other = plain(folder, steps)
        else:
            other = exported(studio.script(run_id), folder / f"{name}-{pair}")
        if pair:  # the first pair only warms the disk
            ratios.append(mine / other)
            print(
                f"{name}: studio {mine:6.2f} CPU s   alone {other:6.2f} CPU s   {mine / other:.3f}x",
                flush=True,
            )
    low, high, middle = min(ratios), max(ratios), statistics.median(ratios)
    word = "met" if middle <= GOAL else "missed"
    print(
        f"{name}: median {middle:.3f}x of the plain script ({low:.3f} to {high:.3f}), goal {GOAL}x: {word}",
        flush=True,
    )


def cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def plain(folder: Path, steps: int) -> float:
    """CPU seconds of the script written by hand, its interpreter start included."""
    order = folder / "order.json"
    rows = EXAMPLES / "medication_directions" / "train.jsonl"
    starter = EXAMPLES / "starter-model"
    words = {"rows": str(rows), "model": str(starter), "out": str(folder / "plain"), "steps": steps}
    order.write_text(json.dumps(words))
    before = cpu_of_children()
    subprocess.run([sys.executable, "-c", PLAIN, str(order)], check=True, capture_output=True)
    return cpu_of_children() - before


def exported(files: dict[str, str], folder: Path) -> float:
    """CPU seconds of the exported script, its interpreter start included."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    before = cpu_of_children()
    subprocess.run([sys.executable, "train.py"], cwd=folder, check=True, capture_output=True)
    return cpu_of_children() - before


def texts(path: Path) -> Path:
    """What is said in the labelled directions as running text, in a file at `path`."""
    lines = (EXAMPLES / "medication_directions" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    said = [" ".join(turn["content"] for turn in json.loads(line)["messages"]) for line in lines]
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in said), encoding="utf-8")
    return path


def upload(name: str, path: Path) -> None:
    from studio import db
    from studio.datasets import library

    folder, report = library.prepare(path, path.name)
    with db.transaction() as session:
        library.add(session, folder, report, name=name)


class Studio:
    """A studio's database and one runner process per run, as a worker would start it."""

    def __init__(self, folder: Path):
        os.environ["TUNESMITH_DATA"] = str(folder)
        from studio import migration, sample

        migration.upgrade()
        sample.load()
        files = {DATA[shape]: EXAMPLES / place / "train.jsonl" for shape, place in FURTHER.items()}
        for name, path in (files | {DATA["text"]: texts(folder / "text.jsonl")}).items():
            upload(name, path)

    def techniques(self) -> list[str]:
        from studio import techniques

        return [each.name for each in techniques.all() if set(each.shapes) & DATA.keys()]

    def train(self, name: str, steps: int) -> tuple[float, int]:
        """CPU seconds of runner and trainer for one whole run, and the run."""
        from studio import attempts, db, runs
        from worker import placement

        with db.transaction() as session:
            run_id = runs.launch(session, self.config(name, steps)).id
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
        return used, run_id

    def config(self, name: str, steps: int) -> Any:
        from studio import sample, techniques
        from studio.runs import RunConfig

        technique = techniques.get(name)
        shape = next(shape for shape in technique.shapes if shape in DATA)
        small = SMALL if technique.graded else {}
        known = technique.parameters.model_fields
        wanted = [each for each in technique.inputs if each.required]
        return RunConfig.model_validate(
            {
                "technique": name,
                "adapter": "full" if technique.fits_adapter("full") else technique.adapters[0],
                "model": sample.STARTER_NAME,
                "dataset": DATA[shape],
                "inputs": {each.name: sample.STARTER_NAME for each in wanted},
                "graders": [{"grader": "exact_match"}] if technique.graded else [],
                "parameters": {"max_steps": STEPS.get(name, STEPS.get(shape, steps)), "sample_prompts": 0}
                | {key: value for key, value in small.items() if key in known},
            }
        )

    def script(self, run_id: int) -> dict[str, str]:
        from studio import db, runs, script

        with db.reading() as session:
            return script.bundle(session, runs.get(session, run_id))


if __name__ == "__main__":
    main()
