"""How far supervised fine-tuning on the sample use case lifts the starter model, with several seeds.

    python -m benchmarks.sft_sample [--seeds 1 2 3] [--adapter full | lora] [--json FILE]

Trains on the 500 labelled directions with the settings the studio suggests for this model, scores greedy
answers on the held-out plain and hard slices, prints a table with Wilson 95 % intervals, wall and CPU
seconds. Each training is the studio's own trainer on an order of its own: `python -m worker.train FOLDER`.
"""

import argparse
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path

from studio import adapters, graders, techniques, weights
from worker import dispatch, generate
from worker.data import Prompt
from worker.model import load
from worker.order import DataOrder, ModelOrder, Order

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
STARTER = EXAMPLES / "starter-model"
DATA = EXAMPLES / "medication_directions"
GOAL = 0.85  # exact match on the plain slice


@dataclass
class Result:
    """Exact matches of one model: `right[slice]` of `asked[slice]`, and what the training cost in seconds."""

    name: str
    right: dict[str, int]
    asked: dict[str, int]
    wall: float = 0.0
    cpu: float = 0.0


def main(seeds: list[int], adapter: str) -> list[Result]:
    """Score the starter, then train and score once a seed."""
    train_rows, test_rows = read("train"), read("test")
    results = [Result("starter", *score(STARTER, test_rows))]
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            wall, cpu = time.perf_counter(), cpu_of_children()
            model = train(seed, adapter, train_rows, Path(folder))
            wall, cpu = time.perf_counter() - wall, cpu_of_children() - cpu
            results.append(Result(f"SFT {adapter}, seed {seed}", *score(model, test_rows), wall, cpu))
    return results


def cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def read(name: str) -> list[dict]:
    """Rows of a file of the sample use case."""
    return [json.loads(line) for line in (DATA / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def train(seed: int, adapter: str, rows: list[dict], folder: Path, **settings) -> Path:
    """Fine-tune the starter as the studio would; returns the folder of the model or of its adapter."""
    technique, kind = techniques.get("sft"), adapters.get(adapter)
    size = weights.inspect(STARTER)["parameters"]
    given = technique.suggest(adapter, size) | {"sample_prompts": 0} | settings
    run = folder / "runs" / "1"
    run.mkdir(parents=True)
    (run / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    order = Order(
        run_id=1,
        attempt=1,
        kind="train",
        folder=run,
        spool=run / "spool.jsonl",
        log=run / "trainer.log",
        models=[ModelOrder(id=1, name="starter", source=str(STARTER))],
        data=DataOrder(path=run / "rows.jsonl", shape="chat", title="labelled directions"),
        parameters=technique.parameters(**given).model_dump(),
        adapter_parameters=kind.parameters().model_dump(),
        seed=seed,
    )
    dispatch.fill(order, technique, kind)
    order.write()
    done = subprocess.run(
        [sys.executable, "-m", "worker.train", str(run)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    return order.result


# Scoring


def score(folder: Path, rows: list[dict]) -> tuple[dict[str, int], dict[str, int]]:
    """Exact matches and rows of each slice, for the model in `folder` answering greedily."""
    base = ModelOrder(id=1, name="starter", source=str(STARTER))
    is_adapter = (folder / "adapter_config.json").exists()
    model, tokenizer = load(
        ModelOrder(id=2, name="tuned", source=str(folder), base=base if is_adapter else None)
    )
    answers = answer_greedily(model.eval(), tokenizer, [row["messages"] for row in rows])
    right: dict[str, int] = defaultdict(int)
    asked: dict[str, int] = defaultdict(int)
    for row, given in zip(rows, answers, strict=True):
        right[row["slice"]] += int(graders.score("exact_match", given, row["reference_answer"]) or 0)
        asked[row["slice"]] += 1
    return dict(right), dict(asked)


def answer_greedily(model, tokenizer, conversations: list[list[dict]]) -> list[str]:
    """The model's most likely answer to each conversation."""
    return answer(model, tokenizer, conversations, do_sample=False)


def answer(model, tokenizer, conversations: list[list[dict]], batch: int = 100, **how) -> list[str]:
    """One answer to each conversation, at most 96 tokens; `how` goes to `model.generate`."""
    prompts = [Prompt(messages, "", "") for messages in conversations]
    return generate.answers(model, tokenizer, prompts, max_new_tokens=96, batch_size=batch, **how)


def wilson(right: int, asked: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's score interval for a proportion (95 % by default), as two shares between 0 and 1."""
    share, shrink = right / asked, 1 + z * z / asked
    middle = share + z * z / (2 * asked)
    spread = z * math.sqrt(share * (1 - share) / asked + z * z / (4 * asked * asked))
    return max(0.0, (middle - spread) / shrink), min(1.0, (middle + spread) / shrink)


def table(results: list[Result]) -> str:
    """The results as a Markdown table."""
    slices = list(results[0].asked)
    lines = [
        "| model | " + " | ".join(f"{name} (95 %)" for name in slices) + " | wall s | CPU s |",
        "|---" * (len(slices) + 3) + "|",
    ]
    for result in results:
        shares = []
        for name in slices:
            low, high = wilson(result.right[name], result.asked[name])
            shares.append(f"{result.right[name] / result.asked[name]:.1%} ({low:.1%}–{high:.1%})")
        cost = [f"{result.wall:.0f}", f"{result.cpu:.0f}"] if result.wall else ["–", "–"]
        lines.append("| " + " | ".join([result.name, *shares, *cost]) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--adapter", choices=["full", "lora"], default="full")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = main(options.seeds, options.adapter)
    print(table(found))
    if options.json:
        options.json.write_text(json.dumps([asdict(result) for result in found], indent=2) + "\n")
    worst = min(result.right["plain"] / result.asked["plain"] for result in found[1:])
    print(f"goal: plain ≥ {GOAL:.0%}; worst seed {worst:.1%}: {'met' if worst >= GOAL else 'missed'}")
