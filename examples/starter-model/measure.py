"""What the starter model can do before any fine-tuning; writes `scores.json`, the model card's numbers.

    python examples/starter-model/measure.py

Greedy exact match on 100 new prompts of each general task of the pretraining text, and on the sample use
case's held-out slices; there also the share of right answers among 4 samples a prompt at temperature 1.
"""

import json
import random
import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

import corpus  # noqa: E402  (needs the two folders above)

from benchmarks import sft_sample  # noqa: E402
from studio import graders  # noqa: E402

SEED = 1000  # not the seed of the pretraining text
PROMPTS = 100
SAMPLES = 4


def main() -> None:
    model = AutoModelForCausalLM.from_pretrained(HERE).eval()
    tokenizer = AutoTokenizer.from_pretrained(HERE)
    right, asked = sft_sample.score(HERE, sft_sample.read("test"))
    scores = {
        "tasks": measure_tasks(model, tokenizer),
        "sample_use_case_greedy": {name: right[name] / asked[name] for name in asked},
        "sample_use_case_sampled": measure_samples(model, tokenizer),
    }
    text = json.dumps(scores, indent=2)
    (HERE / "scores.json").write_text(text + "\n")
    print(text)


def measure_tasks(model, tokenizer) -> dict[str, float]:
    """Greedy exact match by the name of the task."""
    rng, scores = random.Random(SEED), {}
    for task in dict.fromkeys(corpus.GENERAL):
        talks = [task(rng) for _ in range(PROMPTS)]
        answers = sft_sample.answer_greedily(model, tokenizer, [talk[:1] for talk in talks])
        scores[task.__name__] = (
            sum(a == t[1]["content"] for a, t in zip(answers, talks, strict=True)) / PROMPTS
        )
    return scores


def measure_samples(model, tokenizer) -> dict[str, float]:
    """Share of right answers among samples at temperature 1, over the first prompts of each slice."""
    torch.manual_seed(SEED)
    test, scores = sft_sample.read("test"), {}
    for name in ("plain", "hard"):
        rows = [row for row in test if row["slice"] == name][:PROMPTS]
        answers = sft_sample.answer(
            model,
            tokenizer,
            [row["messages"] for row in rows for _ in range(SAMPLES)],
            do_sample=True,
            top_k=0,
        )
        pairs = zip(answers, [row["reference_answer"] for row in rows for _ in range(SAMPLES)], strict=True)
        scores[name] = sum(graders.score("exact_match", a, r) for a, r in pairs) / len(answers)
    return scores


if __name__ == "__main__":
    main()
