"""What the behaviour checks share: a training of the studio's on files, greedy answers of what came of it,
and intervals. Knows no technique by name."""

import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.sft_sample import ROOT, STARTER, answer_greedily, cpu_of_children, read, wilson
from studio import adapters, graders, techniques, weights
from studio.datasets import shapes
from worker import dispatch
from worker.model import load
from worker.order import DataOrder, GraderOrder, ModelOrder, Order

EXACT = [GraderOrder(name="exact_match", grader="exact_match")]
Z = 1.96


@dataclass
class Trained:
    """What a training left: its folder, the metrics it logged (one dict a moment, with `step`), its report,
    what it cost in seconds, and why it failed, where it was allowed to."""

    order: Order
    logged: list[dict[str, Any]]
    report: dict[str, Any]
    wall: float
    cpu: float
    error: dict[str, Any] = field(default_factory=dict)

    def series(self, key: str) -> list[float]:
        return [row[key] for row in self.logged if isinstance(row.get(key), int | float)]

    def last(self, key: str) -> float:
        return self.series(key)[-1]

    def mean(self, key: str) -> float:
        return statistics.fmean(self.series(key))


def train(
    name: str,
    folder: Path,
    *,
    seed: int,
    start: Path = STARTER,
    rows: Sequence[dict],
    shape: str,
    held_out: Sequence[dict] = (),
    adapter: str = "full",
    parts: Sequence[GraderOrder] = (),
    input_models: dict[str, Path] | None = None,
    input_data: dict[str, tuple[str, Sequence[dict]]] | None = None,
    may_fail: bool = False,
    carry_out: Callable[[Path], tuple[int, str]] | None = None,
    **settings: Any,
) -> Trained:
    """One training with the settings the studio suggests for the starter, in a process of its own as the
    studio starts it: `python -m worker.train FOLDER`, or as `carry_out` does, which returns the exit code and
    what was said. `input_data` is {name: (shape, rows)}."""
    technique, kind = techniques.get(name), adapters.get(adapter)
    run = folder / "runs" / "1"
    run.mkdir(parents=True)
    given = (
        technique.suggest(adapter, weights.inspect(STARTER)["parameters"]) | {"sample_prompts": 0} | settings
    )
    order = Order(
        run_id=1,
        attempt=1,
        kind="train",
        folder=run,
        spool=run / "spool.jsonl",
        log=run / "trainer.log",
        models=[ModelOrder(id=1, name="start", source=str(start))],
        data=written(run / "rows.jsonl", shape, rows),
        held_out=written(run / "held_out.jsonl", shape, held_out) if held_out else None,
        parameters=technique.parameters(**given).model_dump(),
        adapter_parameters=kind.parameters().model_dump(),
        graders=list(parts),
        seed=seed,
    )
    dispatch.fill(order, technique, kind)
    for at, (key, path) in enumerate((input_models or {}).items(), start=2):
        order.input_models[key] = ModelOrder(id=at, name=key, source=str(path))
    for key, (its, found) in (input_data or {}).items():
        order.input_data[key] = written(run / f"{key}.jsonl", its, found)
    order.write()
    wall, cpu = time.perf_counter(), cpu_of_children()
    code, told = (carry_out or in_a_process)(run)
    wall, cpu = time.perf_counter() - wall, cpu_of_children() - cpu
    if code and not may_fail:
        raise RuntimeError(f"{name} ended with {code}: {told[-3000:]}")
    said = [json.loads(line) for line in order.spool.read_text().splitlines()]
    logged = [{"step": line["step"], **line["data"]} for line in said if line["kind"] == "metric"]
    reports = [line["data"] for line in said if line["kind"] == "report"]
    errors = [line["data"] for line in said if line["kind"] == "error"]
    return Trained(order, logged, reports[-1] if reports else {}, wall, cpu, errors[-1] if errors else {})


def in_a_process(run: Path) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "worker.train", str(run)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    return done.returncode, done.stderr


def written(path: Path, shape: str, rows: Sequence[dict]) -> DataOrder:
    """The rows as the studio keeps them."""
    path.write_text("".join(json.dumps(shapes.lift(row)) + "\n" for row in rows))
    return DataOrder(path=path, shape=shape, title=path.stem)


# ---- measuring


@dataclass
class Score:
    """Exact matches on the test rows: a 0 or 1 for each, by slice, in the order of the rows."""

    right: dict[str, list[int]] = field(default_factory=dict)

    def all(self) -> list[int]:
        return [each for found in self.right.values() for each in found]

    def share(self, name: str = "") -> float:
        return statistics.fmean(self.right[name] if name else self.all())


def score(folder: Path, base: Path | None = None, *, grader: GraderOrder = EXACT[0]) -> Score:
    """Greedy answers of the model in `folder` to the 600 test rows: right are those the grader gives 1."""
    of_base = ModelOrder(id=1, name="base", source=str(base)) if base else None
    model, tokenizer = load(ModelOrder(id=2, name="made", source=str(folder), base=of_base))
    rows = read("test")
    found = Score()
    answers = answer_greedily(model.eval(), tokenizer, [row["messages"] for row in rows])
    for row, answer in zip(rows, answers, strict=True):
        hit = int(graders.score(grader.grader, answer, row["reference_answer"], **grader.parameters) == 1)
        found.right.setdefault(row["slice"], []).append(hit)
    return found


@torch.no_grad()
def perplexity(folder: Path, texts: Sequence[str], batch: int = 32) -> float:
    """exp of the mean negative log-likelihood of a token, over all texts."""
    model, tokenizer = load(ModelOrder(id=1, name="made", source=str(folder)))
    model.eval()
    lost, tokens = 0.0, 0
    for at in range(0, len(texts), batch):
        some = tokenizer(
            list(texts[at : at + batch]), return_tensors="pt", padding=True, add_special_tokens=False
        )
        mask = some["attention_mask"][:, 1:].bool()
        logps = model(some["input_ids"], attention_mask=some["attention_mask"]).logits[:, :-1].log_softmax(-1)
        told = logps.gather(-1, some["input_ids"][:, 1:, None]).squeeze(-1)
        lost -= float(told[mask].sum())
        tokens += int(mask.sum())
    return math.exp(lost / tokens)


def shown(score: Score, name: str = "") -> str:
    """A share with its Wilson 95 % interval."""
    hits = score.right[name] if name else score.all()
    low, high = wilson(sum(hits), len(hits))
    return f"{sum(hits) / len(hits):.1%} ({low:.1%}–{high:.1%})"


def gain(
    before: Sequence[Sequence[float]], after: Sequence[Sequence[float]], draws: int = 2000
) -> tuple[float, float, float]:
    """Mean of after − before over seeds and rows, with a paired bootstrap 95 % interval that draws rows and
    seeds (both vary): `before[seed][row]`."""
    change = np.array(after, dtype=float) - np.array(before, dtype=float)
    rng = np.random.default_rng(0)
    seeds, rows = change.shape
    means = [
        change[np.ix_(rng.integers(seeds, size=seeds), rng.integers(rows, size=rows))].mean()
        for _ in range(draws)
    ]
    low, high = np.percentile(means, [2.5, 97.5])
    return float(change.mean()), float(low), float(high)


def interval(values: Sequence[float]) -> str:
    """Mean over seeds with Student's 95 % interval."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return f"{mean:.4g}"
    quantile = {2: 12.71, 3: 4.303, 4: 3.182, 5: 2.776}.get(len(values), 2.0)
    half = quantile * statistics.stdev(values) / len(values) ** 0.5
    return f"{mean:.4g} ± {half:.2g}"


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown."""
    lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])
