"""Do the preference techniques widen the held-out margin over supervised fine-tuning, and does the reward
model rank held-out pairs? On the sample use case, with several seeds and intervals.

    python -m benchmarks.behaviour.preference --seeds 1 2 3 [--only dpo kto] [--adapter lora] [--json FILE]

Each seed gets a start of its own: the starter model after a few epochs of supervised fine-tuning. Each
technique trains on from there with the settings the studio suggests, on 1,000 of the 1,200 pairs, of which
100 choose the checkpoint; the other 200 pairs measure (KTO learns from the thumbs instead). Shown: the
margin, the mean of log π(chosen) - log π(rejected) over the measuring pairs, summed and per token, before
and after; greedy exact match on the test rows; processor seconds. Intervals are 95 %: paired bootstrap over
pairs, Wilson for shares.
"""

import argparse
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from benchmarks.sft_sample import STARTER, answer_greedily, read, wilson
from studio import adapters, graders, techniques, weights
from worker import dispatch, train
from worker.model import load
from worker.order import DataOrder, ModelOrder, Order

NAMES = ("dpo", "ipo", "orpo", "kto", "simpo", "relative_po", "iterative_rpo", "reward_model")
START_EPOCHS = 2.0
CHOOSING, MEASURING = 100, 200  # pairs held out from training
BATCH = 50


@dataclass
class Scores:
    """What a model says of the measuring pairs, and how many test rows it answers exactly."""

    margins: list[float] = field(default_factory=list)  # a pair each, nats
    per_token: list[float] = field(default_factory=list)  # the same with means over tokens
    chosen: list[float] = field(default_factory=list)  # log π(chosen), nats
    right: int = 0
    asked: int = 0


@dataclass
class Result:
    """One technique with one seed. A reward model has only `margins`: of its rewards."""

    technique: str
    seed: int
    before: Scores
    after: Scores
    cpu: float
    steps: int


# ---- data


def split() -> tuple[list[dict], list[dict], list[dict]]:
    """Training, choosing and measuring pairs: the same for every seed."""
    pairs = read("preference")
    random.Random(0).shuffle(pairs)
    return pairs[CHOOSING + MEASURING :], pairs[:CHOOSING], pairs[CHOOSING : CHOOSING + MEASURING]


# ---- training


def carry_out(
    name: str,
    seed: int,
    folder: Path,
    start: Path,
    rows: list[dict],
    held_out: list[dict],
    adapter: str,
    **given: Any,
) -> Order:
    """Trains as the studio's worker would, in this process; returns the order carried out."""
    technique, kind = techniques.get(name), adapters.get(adapter)
    size = weights.inspect(STARTER)["parameters"]
    settings = technique.suggest(adapter, size) | {"sample_prompts": 0} | given
    run = folder / "runs" / "1"
    run.mkdir(parents=True)

    def data(title: str, found: list[dict]) -> DataOrder | None:
        if not found:
            return None
        path = run / f"{title}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in found))
        keys = found[0].keys()
        shape = "chat" if "messages" in keys else "labelled" if "label" in keys else "preference"
        return DataOrder(path=path, shape=shape, title=title)

    order = Order(
        run_id=1,
        attempt=1,
        kind="train",
        folder=run,
        spool=run / "spool.jsonl",
        log=run / "trainer.log",
        models=[ModelOrder(id=1, name="start", source=str(start))],
        data=data("training", rows),
        held_out=data("choosing", held_out),
        parameters=technique.parameters(**settings).model_dump(),
        adapter_parameters=kind.parameters().model_dump(),
        seed=seed,
    )
    dispatch.fill(order, technique, kind)
    order.write()
    if code := train.carry_out(order):
        raise RuntimeError(f"{name}, seed {seed}, ended with {code}: {order.spool.read_text()[-2000:]}")
    return order


def make_start(seed: int, folder: Path) -> Path:
    """The starter after a few epochs of supervised fine-tuning."""
    order = carry_out("sft", seed, folder, STARTER, read("train"), [], "full", num_train_epochs=START_EPOCHS)
    return order.result


def check(name: str, seed: int, start: Path, before: Scores, adapter: str, **given: Any) -> Result:
    """Trains one technique from `start` and measures what came of it."""
    teaching, choosing, measuring = split()
    rows = read("thumbs") if name == "kto" else teaching
    with tempfile.TemporaryDirectory() as folder:
        began = time.process_time()
        order = carry_out(name, seed, Path(folder), start, rows, choosing, adapter, **given)
        cpu = time.process_time() - began
        spool = [json.loads(line) for line in order.spool.read_text().splitlines()]
        base = ModelOrder(id=1, name="start", source=str(start)) if order.peft else None
        made = ModelOrder(id=2, name=name, source=str(order.result), base=base)
        measure = rewards if order.makes == "reward" else score
        after = measure(made, measuring)
    steps = max(line["step"] for line in spool if line["kind"] == "progress")
    return Result(name, seed, Scores() if order.makes == "reward" else before, after, cpu, steps)


# ---- scoring


def score(order: ModelOrder, pairs: list[dict], *, answers: bool = True) -> Scores:
    model, tokenizer = load(order)
    model.eval()
    found = Scores()
    for kind in ("chosen", "rejected"):
        told = [_encoded(tokenizer, pair["prompt"], pair[kind]) for pair in pairs]
        summed = [
            each
            for at in range(0, len(told), BATCH)
            for each in _logps(model, tokenizer, told[at : at + BATCH])
        ]
        lengths = [len(ids) - begins for ids, begins in told]
        if kind == "chosen":
            found.chosen, of_chosen = summed, lengths
            continue
        found.margins = [good - bad for good, bad in zip(found.chosen, summed, strict=True)]
        found.per_token = [
            good / long - bad / short
            for good, long, bad, short in zip(found.chosen, of_chosen, summed, lengths, strict=True)
        ]
    if answers:
        tests = read("test")
        given = answer_greedily(model, tokenizer, [row["messages"] for row in tests])
        right = [
            graders.score("exact_match", said, row["reference_answer"])
            for row, said in zip(tests, given, strict=True)
        ]
        found.right, found.asked = int(sum(each or 0 for each in right)), len(tests)
    return found


def rewards(order: ModelOrder, pairs: list[dict]) -> Scores:
    """Margins of a reward model: its reward of the chosen answer minus that of the rejected one."""
    model, tokenizer = load(order, kind="reward")
    model.eval()
    given: dict[str, list[float]] = {}
    for kind in ("chosen", "rejected"):
        told = [_encoded(tokenizer, pair["prompt"], pair[kind])[0] for pair in pairs]
        given[kind] = []
        for at in range(0, len(told), BATCH):
            ids, mask = _padded(tokenizer, told[at : at + BATCH])
            with torch.no_grad():
                given[kind] += model(ids, attention_mask=mask).logits.squeeze(-1).tolist()
    return Scores(margins=[good - bad for good, bad in zip(given["chosen"], given["rejected"], strict=True)])


def _encoded(tokenizer: Any, prompt: list[dict], answer: list[dict]) -> tuple[list[int], int]:
    """The tokens of prompt and answer, and where the answer begins."""
    how = {"tokenize": True, "return_dict": False}
    asked = tokenizer.apply_chat_template(prompt, add_generation_prompt=True, **how)
    return tokenizer.apply_chat_template(prompt + answer, **how), len(asked)


def _padded(tokenizer: Any, rows: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    longest = max(map(len, rows))
    ids = torch.tensor([row + [tokenizer.pad_token_id] * (longest - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    return ids, mask


@torch.no_grad()
def _logps(model: Any, tokenizer: Any, told: list[tuple[list[int], int]]) -> list[float]:
    """log π(answer | prompt) of each row, summed over the answer's tokens, in nats."""
    ids, mask = _padded(tokenizer, [row for row, _ in told])
    said = model(ids, attention_mask=mask).logits[:, :-1].log_softmax(-1)
    each = said.gather(-1, ids[:, 1:, None]).squeeze(-1)
    return [each[at, begins - 1 : len(row) - 1].sum().item() for at, (row, begins) in enumerate(told)]


# ---- intervals and the table


def bootstrap(values: Sequence[float], draws: int = 2000) -> tuple[float, float, float]:
    """The mean and its 95 % interval, by resampling."""
    given = torch.tensor(values, dtype=torch.float64)
    picks = torch.randint(len(given), (draws, len(given)), generator=torch.Generator().manual_seed(0))
    low, high = given[picks].mean(1).quantile(torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    return given.mean().item(), low, high


def gains(results: list[Result], what: str) -> list[float]:
    """After minus before of each measuring pair, averaged over the seeds."""
    apart = [
        [
            after - before
            for before, after in zip(getattr(r.before, what), getattr(r.after, what), strict=True)
        ]
        for r in results
    ]
    return [statistics.mean(of_pair) for of_pair in zip(*apart, strict=True)]


def share(results: list[Result], when: str) -> str:
    right = sum(getattr(r, when).right for r in results)
    asked = sum(getattr(r, when).asked for r in results)
    low, high = wilson(right, asked)
    return f"{right / asked:.1%} ({low:.1%}–{high:.1%})"


def verdict(results: list[Result]) -> tuple[str, bool]:
    """A line of the table for one technique's seeds, and whether it met its goal."""
    first = results[0]
    cost = f"{statistics.mean(r.cpu for r in results):.0f}"
    steps = statistics.mean(r.steps for r in results)
    if first.technique == "reward_model":
        right = sum(margin > 0 for r in results for margin in r.after.margins)
        asked = sum(len(r.after.margins) for r in results)
        low, high = wilson(right, asked)
        met = low > 0.5 and all(
            sum(m > 0 for m in r.after.margins) > len(r.after.margins) / 2 for r in results
        )
        ranked = f"ranks {right / asked:.1%} ({low:.1%}–{high:.1%}) of held-out pairs"
        return f"| {first.technique} | {ranked} | – | – | – | – | {steps:.0f} | {cost} |", met
    gain, low, high = bootstrap(gains(results, "margins"))
    met = low > 0 and all(statistics.mean(gains([r], "margins")) > 0 for r in results)
    per_token = bootstrap(gains(results, "per_token"))
    chosen = statistics.mean(gains(results, "chosen"))
    was = statistics.mean(value for r in results for value in r.before.margins)
    cells = [
        first.technique,
        f"{was:.1f} → {was + gain:.1f}",
        f"{gain:+.2f} ({low:+.2f} to {high:+.2f})",
        "{:+.3f} ({:+.3f} to {:+.3f})".format(*per_token),
        f"{chosen:+.2f}",
        f"{share(results, 'before')} → {share(results, 'after')}",
        f"{steps:.0f}",
        cost,
    ]
    return "| " + " | ".join(cells) + " |", met


HEAD = (
    "| technique | margin, nats | gain over SFT (95 %) | gain per token (95 %) | chosen answers, nats "
    "| exact match (95 %) | steps | CPU s |\n|---|---|---|---|---|---|---|---|"
)


def main(seeds: list[int], names: Sequence[str], adapter: str, **given: Any) -> list[Result]:
    results = []
    measuring = split()[2]
    with tempfile.TemporaryDirectory() as cache:
        for seed in seeds:
            start = make_start(seed, Path(cache) / str(seed))
            before = score(ModelOrder(id=1, name="start", source=str(start)), measuring)
            for name in names:
                results.append(check(name, seed, start, before, adapter, **given))
                print(f"seed {seed}: {verdict(results[-1:])[0]}", flush=True)
    return results


def report(results: list[Result]) -> str:
    lines, verdicts = [HEAD], []
    for name in dict.fromkeys(r.technique for r in results):
        line, met = verdict([r for r in results if r.technique == name])
        lines.append(line)
        verdicts.append(f"{name}: {'met' if met else 'FAILED'}")
    return "\n".join([*lines, "", *verdicts])


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--adapter", choices=["full", "lora"], default="full")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = main(options.seeds, options.only, options.adapter)
    print(report(found))
    if options.json:
        options.json.write_text(json.dumps([asdict(each) for each in found], indent=1) + "\n")
