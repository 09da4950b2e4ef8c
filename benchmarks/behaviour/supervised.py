"""Do continued pre-training and distillation teach what they should? On the sample use case, with several
seeds and intervals. (Supervised fine-tuning itself: `benchmarks/sft_sample.py`.)

    python -m benchmarks.behaviour.supervised --seeds 1 2 3 [--part cpt distillation]

CPT: the perplexity of held-out directions (the text of the field) before and after, and that of general talks
from the starter's own training, with and without replay. Distillation: the starter (student) learns from a
fine-tuned model (teacher) without any label: its share of the gap between the two on the 600 test rows.
"""

import argparse
import random
import sys
import tempfile
from pathlib import Path

from transformers import AutoTokenizer

from benchmarks.behaviour import harness
from benchmarks.behaviour.harness import EXACT
from benchmarks.behaviour.reasoning import prompts
from benchmarks.sft_sample import STARTER, read

PARTS = ("cpt", "distillation")


def domain() -> tuple[list[dict], list[dict]]:
    """Texts of the field to learn from and to measure: directions with their meaning, as running text."""
    taught = [{"text": text_of(row["prompt"], row["reference_answer"])} for row in prompts()]
    measured = [{"text": text_of(row["messages"], row["reference_answer"])} for row in read("test")]
    return taught, measured


def text_of(messages: list[dict], answer: str) -> str:
    return f"{messages[-1]['content']} means {answer}"


def general(count: int, seed: int) -> list[dict]:
    """Talks of the kind the starter was made from, none of them from the field."""
    sys.path.insert(0, str(STARTER))
    import corpus  # of the starter's folder

    rng = random.Random(seed)
    return [{"messages": rng.choice(corpus.GENERAL)(rng)} for _ in range(count)]


def pretraining(seeds: list[int]) -> list[str]:
    taught, measured = domain()
    tokenizer = AutoTokenizer.from_pretrained(STARTER)
    texts = {
        "field": [row["text"] for row in measured],
        "general": [
            tokenizer.apply_chat_template(row["messages"], tokenize=False) for row in general(300, 999)
        ],
    }
    before = {name: harness.perplexity(STARTER, found) for name, found in texts.items()}
    rows, falls, rises = [], [], {True: [], False: []}
    for seed in seeds:
        for replays in (False, True):
            with tempfile.TemporaryDirectory() as folder:
                made = harness.train(
                    "cpt",
                    Path(folder),
                    seed=seed,
                    rows=taught,
                    shape="text",
                    input_data={"replay_dataset": ("chat", general(1500, seed))} if replays else None,
                    replay_share=0.3,
                )
                after = {name: harness.perplexity(made.order.result, found) for name, found in texts.items()}
            falls.append(after["field"] / before["field"])
            rises[replays].append(after["general"] / before["general"])
            changes = [f"{before[name]:.2f} → {after[name]:.2f}" for name in texts]
            rows.append([str(seed), "30 %" if replays else "none", *changes, f"{made.cpu:.0f}"])
            print("  ".join(rows[-1]), flush=True)
    print(harness.table(["seed", "replay", "perplexity of the field", "of general talk", "CPU s"], rows))
    kept = all(with_it < without for with_it, without in zip(rises[True], rises[False], strict=True))
    return [
        f"CPT lowers in-domain perplexity to {harness.interval(falls)} of the start: {word(max(falls) < 1)}",
        f"replay keeps general text nearer, {harness.interval(rises[True])} against "
        f"{harness.interval(rises[False])} of the start: {word(kept)}",
    ]


def word(holds: bool) -> str:
    return "met" if holds else "failed"


def distillation(seeds: list[int]) -> list[str]:
    student = harness.score(STARTER)
    rows, closed = [], []
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            taught = harness.train(
                "sft", Path(folder) / "teacher", seed=seed, rows=read("train"), shape="chat"
            )
            teacher = harness.score(taught.order.result)
            for mode in ("answers", "on_policy"):
                made = harness.train(
                    "distillation",
                    Path(folder) / mode,
                    seed=seed,
                    rows=prompts(),
                    shape="prompt",
                    parts=EXACT,
                    input_models={"teacher_model": taught.order.result},
                    mode=mode,
                    num_train_epochs=2.0,
                )
                after = harness.score(made.order.result)
                share = (after.share() - student.share()) / (teacher.share() - student.share())
                closed.append((mode, share))
                told = made.report.get("distillation", {})
                kept = f"{told['accepted']} of {told['prompts']}" if told else "–"
                rows.append(
                    [
                        mode,
                        str(seed),
                        harness.shown(student),
                        harness.shown(teacher),
                        harness.shown(after),
                        f"{share:.0%}",
                        kept,
                        f"{made.cpu:.0f}",
                    ]
                )
                print("  ".join(rows[-1]), flush=True)
    print(
        harness.table(
            ["mode", "seed", "student", "teacher", "after", "gap closed", "accepted", "CPU s"], rows
        )
    )
    verdicts = []
    for mode in ("answers", "on_policy"):
        shares = [share for its, share in closed if its == mode]
        closes = f"distillation ({mode}) closes {harness.interval(shares)} of the gap, at least half"
        verdicts.append(f"{closes}: {word(min(shares) >= 0.5)}")
    return verdicts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--part", nargs="+", choices=PARTS, default=list(PARTS))
    given = parser.parse_args()
    verdicts: list[str] = []
    if "cpt" in given.part:
        verdicts += pretraining(given.seeds)
    if "distillation" in given.part:
        verdicts += distillation(given.seeds)
    print("\n".join(verdicts))


if __name__ == "__main__":
    main()
