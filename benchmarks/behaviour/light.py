"""Does embedding tuning find more, and does a head on frozen features beat asking the same model in words?

    python -m benchmarks.behaviour.light --seeds 1 2 3 [--only embedding classifier] [--json FILE]

On the starter model, with the settings the studio suggests, through the studio's own trainer.

Embedding (`examples/direction_search`): the untuned model and the tuned one, full and LoRA, rank 200 held-out
directions among all held-out records, near misses included. Classifier (`examples/content_quality`): a head
learns from 500 of the 600 labelled notes, drawn by the seed; the same model is asked in words with no, 8 and
16 solved examples, drawn by the seed, and the label it finds likeliest counts. Prompting is shown at its
best: of three ways to compare likelihoods, the one that does best on the test. Beside both stands what needs
no model. Intervals are 95 %: Wilson for shares, paired bootstrap over test rows for differences.
"""

import argparse
import contextlib
import itertools
import json
import random
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from transformers import AutoModelForCausalLM, AutoTokenizer

from benchmarks.sft_sample import EXAMPLES, STARTER, wilson
from studio import adapters, techniques, weights
from worker import dispatch, train
from worker.order import DataOrder, ModelOrder, Order
from worker.trainers import head_export, heads
from worker.trainers.embedding import EmbeddingConfig, Ranking, embed_with
from worker.trainers.features import RUBRIC

LEARNED = 500  # notes that a head learns from
SHOTS = (0, 8, 16)
DRAWS = 2000  # of the bootstrap


@dataclass
class Result:
    """One model with one seed: whether each test row came out right, and what else was measured."""

    name: str
    seed: int
    right: list[bool]
    more: dict[str, float]
    cpu: float = 0.0


def read(folder: str, name: str) -> list[dict]:
    path = EXAMPLES / folder / f"{name}.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def carry_out(name: str, adapter: str, seed: int, rows: list[dict], shape: str, folder: Path) -> Order:
    """Trains as the studio's worker would, in this process; returns the order carried out."""
    technique, kind = techniques.get(name), adapters.get(adapter)
    settings = technique.suggest(adapter, weights.inspect(STARTER)["parameters"]) | {"sample_prompts": 0}
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
        data=DataOrder(path=run / "rows.jsonl", shape=shape, title="rows"),
        parameters=technique.parameters(**settings).model_dump(),
        adapter_parameters=kind.parameters().model_dump(),
        seed=seed,
    )
    dispatch.fill(order, technique, kind)
    order.write()
    with order.log.open("w") as log, contextlib.redirect_stdout(log):
        code = train.carry_out(order)
    if code:
        raise RuntimeError(f"{name}, seed {seed}, ended with {code}: {order.spool.read_text()[-2000:]}")
    return order


# Embedding


def check_embedding(seeds: Sequence[int]) -> list[Result]:
    rows, test = read("direction_search", "train"), read("direction_search", "test")
    with tempfile.TemporaryDirectory() as folder:
        args = EmbeddingConfig(output_dir=folder, use_cpu=True, report_to=[])
        starter = AutoModelForCausalLM.from_pretrained(STARTER)
        untuned = rank(embed_with(starter, args, AutoTokenizer.from_pretrained(STARTER)), test)
    found = [match_letters(test), Result("untuned", 0, *untuned)]
    for adapter in ("full", "lora"):
        for seed in seeds:
            with tempfile.TemporaryDirectory() as folder:
                began = time.process_time()
                order = carry_out("embedding", adapter, seed, rows, "retrieval", Path(folder))
                cpu = time.process_time() - began
                tuned = rank(SentenceTransformer(str(order.result), device="cpu"), test)
            found.append(Result(f"tuned, {adapter}", seed, *tuned, cpu))
    return found


def rank(model: SentenceTransformer, rows: list[dict]) -> tuple[list[bool], dict[str, float]]:
    """Whether each query's record is among the first five, and the ranking's measures."""
    table = Dataset.from_list([{key: row[key] for key in ("query", "positive", "negatives")} for row in rows])
    passages = sorted({text for row in rows for text in (row["positive"], *row["negatives"])})
    how: dict[str, Any] = {
        "convert_to_tensor": True,
        "normalize_embeddings": True,
        "show_progress_bar": False,
    }
    scores = (
        model.encode_query([row["query"] for row in rows], **how) @ model.encode_document(passages, **how).T
    )
    return first_five(scores, passages, rows), Ranking(table, 32)(model)


def first_five(scores: torch.Tensor, passages: list[str], rows: list[dict]) -> list[bool]:
    places = [passages.index(row["positive"]) for row in rows]
    return [int((line >= line[place]).sum()) <= 5 for line, place in zip(scores, places, strict=True)]


def match_letters(rows: list[dict]) -> Result:
    """What needs no model: cosines of two to five letters in a row, weighted by how rare they are."""
    passages = sorted({text for row in rows for text in (row["positive"], *row["negatives"])})
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5)).fit(passages)
    scores = (letters.transform([row["query"] for row in rows]) @ letters.transform(passages).T).toarray()
    return Result("letters, no model", 0, first_five(torch.tensor(scores), passages, rows), {})


# Classifier


def check_classifier(seeds: Sequence[int]) -> list[Result]:
    rows, test = read("content_quality", "train"), read("content_quality", "test")
    found = []
    for shots in SHOTS:
        found += [ask(shots, seed, rows, test) for seed in (seeds if shots else [0])]
    for seed in seeds:
        learned = random.Random(seed).sample(rows, LEARNED)
        found.append(count_letters(seed, learned, test))
        with tempfile.TemporaryDirectory() as folder:
            began = time.process_time()
            order = carry_out("feature_classifier", "frozen", seed, learned, "classification", Path(folder))
            cpu = time.process_time() - began
            right, more = judge(order.result, test)
        found.append(Result("frozen features + head", seed, right, more, cpu))
    return found


def count_letters(seed: int, rows: list[dict], test: list[dict]) -> Result:
    """What needs no language model: logistic regression on two to five letters in a row, cross-validated."""
    began = time.process_time()
    learner = GridSearchCV(LogisticRegression(max_iter=2000), {"C": [0.1, 1, 10, 100]}, cv=5)
    model = make_pipeline(TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5)), learner)
    model.fit([row["text"] for row in rows], [row["label"] for row in rows])
    guesses = model.predict([row["text"] for row in test])
    wanted = [row["label"] for row in test]
    right = [bool(guess == label) for guess, label in zip(guesses, wanted, strict=True)]
    more = {"macro_f1": float(f1_score(wanted, guesses, average="macro"))}
    return Result("letters, no model", seed, right, more, time.process_time() - began)


def judge(folder: Path, test: list[dict]) -> tuple[list[bool], dict[str, float]]:
    """Whether the saved head gets each note right, and its measures, before and after its temperature."""
    head, about = head_export.load_head(folder)
    reader = head_export.load_reader(about, str(STARTER))
    head_export.check(head, reader)
    labels = list(about.reading.labels)
    classes = torch.tensor([labels.index(row["label"]) for row in test])
    features = torch.cat(
        [reader.features([row["text"] for row in test[at : at + 50]]) for at in range(0, 200, 50)]
    )
    with torch.no_grad():
        probabilities = head.probabilities(features[:, 0])
        bare = torch.softmax(head(features[:, 0]), 1)
    more = heads.measure(probabilities, classes) | {"ece_bare": heads.calibration_error(bare, classes)}
    return (probabilities.argmax(1) == classes).tolist(), more


def ask(shots: int, seed: int, rows: list[dict], test: list[dict]) -> Result:
    """The model is asked the rubric after `shots` solved examples, as a chat; each label may be the answer.

    Compared are: log-likelihood; its mean over the label's tokens; and its gain over the same question about
    no text at all (contextual calibration, arXiv 2102.09690). The best of the three on the test is taken."""
    model, tokenizer = (
        AutoModelForCausalLM.from_pretrained(STARTER).eval(),
        AutoTokenizer.from_pretrained(STARTER),
    )
    labels = sorted({row["label"] for row in rows})
    rng = random.Random(seed)
    each = [
        rng.sample([row for row in rows if row["label"] == label], shots // len(labels)) for label in labels
    ]
    examples = rng.sample([row for group in each for row in group], shots)
    turns = [
        turn
        for row in examples
        for turn in (question(row["text"], labels), {"role": "assistant", "content": row["label"]})
    ]
    began = time.process_time()
    empty = likelihoods(model, tokenizer, [*turns, question("N/A", labels)], labels)
    told = torch.stack(
        [likelihoods(model, tokenizer, [*turns, question(row["text"], labels)], labels) for row in test]
    )
    lengths = torch.tensor([len(tokenizer(label)["input_ids"]) for label in labels])
    wanted = torch.tensor([labels.index(row["label"]) for row in test])
    guesses = [(told / how - less).argmax(1) for how, less in ((1, 0), (lengths, 0), (1, empty))]
    best = max(guesses, key=lambda guess: (guess == wanted).sum().item())
    more = {"macro_f1": heads.macro_f1(best, wanted)}
    return Result(
        f"prompting, {shots} examples", seed, (best == wanted).tolist(), more, time.process_time() - began
    )


def question(text: str, labels: list[str]) -> dict:
    return {"role": "user", "content": RUBRIC.replace("{labels}", ", ".join(labels)).replace("{text}", text)}


@torch.no_grad()
def likelihoods(model: Any, tokenizer: Any, turns: list[dict], labels: list[str]) -> torch.Tensor:
    """(labels,): log-likelihood of each label as the answer, in nats."""
    prompt = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=False)
    answers = [tokenizer(label, add_special_tokens=False)["input_ids"] for label in labels]
    longest = max(map(len, answers))
    rows = [prompt + answer + [tokenizer.pad_token_id] * (longest - len(answer)) for answer in answers]
    logits = model(torch.tensor(rows)).logits[:, len(prompt) - 1 : -1]  # (labels, longest, vocabulary)
    logps = torch.log_softmax(logits, -1)
    return torch.stack(
        [logps[place, range(len(answer)), answer].sum() for place, answer in enumerate(answers)]
    )


# Words


def lift(better: list[Result], worse: list[Result]) -> tuple[float, float, float]:
    """Mean difference of the shares of right rows, over seeds, and its interval over test rows."""
    good = torch.tensor([result.right for result in better]).double().mean(0)
    bad = torch.tensor([result.right for result in worse]).double().mean(0)
    apart = good - bad
    drawn = torch.randint(len(apart), (DRAWS, len(apart)), generator=torch.Generator().manual_seed(0))
    low, high = apart[drawn].mean(1).quantile(torch.tensor([0.025, 0.975], dtype=torch.double)).tolist()
    return apart.mean().item(), low, high


def table(results: list[Result], share: str, measures: dict[str, str]) -> str:
    head = ["model", "seed", f"{share} (95 %)", *measures.values(), "CPU s"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for result in results:
        low, high = wilson(sum(result.right), len(result.right))
        cells = [result.name, str(result.seed or "–")]
        cells.append(f"{sum(result.right) / len(result.right):.1%} ({low:.1%}–{high:.1%})")
        cells += [f"{result.more[key]:.3f}" if key in result.more else "–" for key in measures]
        lines.append("| " + " | ".join([*cells, f"{result.cpu:.0f}"]) + " |")
    return "\n".join(lines)


def summary(results: list[Result], better: str, worse: str, what: str) -> str:
    groups = {name: [result for result in results if result.name == name] for name in (better, worse)}
    mean, low, high = lift(groups[better], groups[worse])
    verdict = "shown" if low > 0 else "not shown"
    return f"{better} over {worse}: {mean:+.1%} {what} ({low:+.1%} to {high:+.1%}): {verdict}"


def main(seeds: list[int], only: list[str]) -> list[Result]:
    found: list[Result] = []
    if "embedding" in only:
        ranked = check_embedding(seeds)
        columns = {"recall_at_1": "recall@1", "recall_at_10": "recall@10", "mrr": "MRR@10"}
        print(table(ranked, "recall@5", columns), "\n")
        for name, other in itertools.product(
            ("tuned, full", "tuned, lora"), ("untuned", "letters, no model")
        ):
            print(summary(ranked, name, other, "recall@5"))
        print()
        found += ranked
    if "classifier" in only:
        judged = check_classifier(seeds)
        columns = {"macro_f1": "macro F1", "ece_bare": "ECE before", "ece": "ECE after", "brier": "Brier"}
        print(table(judged, "accuracy", columns), "\n")
        for other in (*(f"prompting, {shots} examples" for shots in SHOTS), "letters, no model"):
            print(summary(judged, "frozen features + head", other, "accuracy"))
        found += judged
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument(
        "--only", nargs="+", choices=["embedding", "classifier"], default=["embedding", "classifier"]
    )
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    results = main(options.seeds, options.only)
    if options.json:
        options.json.write_text(json.dumps([asdict(result) for result in results], indent=2) + "\n")
