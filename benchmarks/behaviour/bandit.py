"""IPO reaches the solution that is known in closed form; DPO runs away from its reference.

    python -m benchmarks.behaviour.bandit [--seeds 1 2 3 4 5] [--json FILE]

A bandit with three arms, a before b before c, and every comparison the same way round (arXiv 2310.12036,
section 5.4; sampled preferences in a total order). Policy and reference are a language model of a few
thousand parameters whose answers are one word; it is trained by the studio's own worker, technique files
and TRL's loss included.

IPO's empirical loss (eq. 17) is least squares: over the pairs, (θ_w - θ_l - 1/(2τ))² with θ = log(π/π_ref).
Its minimum is known whatever the reference; with a, b, c ordered by all three pairs, neighbours end 1/(3τ)
nats apart. DPO's loss on the same pairs has no minimum for any β: the distance goes on growing and π(c)
goes to 0.

Shown for each τ or β, over the seeds: the distance of arms a and c halfway and at the end, and of the arms'
probabilities from the closed form (total variation), with the interval of the mean (95 %, Student).
"""

import argparse
import contextlib
import io
import json
import statistics
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from studio import adapters, techniques
from worker import dispatch, train
from worker.model import load
from worker.order import DataOrder, ModelOrder, Order

ARMS = ("a", "b", "c")
PAIRS = (("a", "b"), ("b", "c"), ("a", "c"))  # better, worse
STRENGTHS = (0.1, 0.3, 1.0)  # τ of IPO, β of DPO
STEPS = 300
LEARNING_RATE = 0.02
NEAR = 0.01  # total variation from the closed form that counts as reached
STUDENT = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78, 6: 2.57, 7: 2.45, 8: 2.36}  # 97.5 % by number of seeds


@dataclass
class Result:
    """One training. `halfway` and `end` are θ_a - θ_c in nats; `apart` is the total variation from IPO's
    closed form for this strength."""

    technique: str
    strength: float
    seed: int
    halfway: float
    end: float
    wanted: float
    apart: float
    worst_arm: float


def closed_form(reference: torch.Tensor, tau: float) -> tuple[torch.Tensor, float]:
    """The arms' probabilities (3,) that minimise IPO's loss over PAIRS, and θ_a - θ_c there."""
    rows = [[(arm == better) - (arm == worse) for arm in ARMS] for better, worse in PAIRS]
    design = torch.tensor(rows, dtype=torch.float64)
    aims = torch.full((len(PAIRS), 1), 1 / (2 * tau), dtype=torch.float64)
    theta = torch.linalg.lstsq(design, aims, driver="gelsd").solution.squeeze(-1)  # of least norm: Σ θ = 0
    return (reference.double().log() + theta).softmax(-1), (theta[0] - theta[2]).item()


def make_model(seed: int, folder: Path) -> Path:
    """A language model of six words whose opinion of the arms is random."""
    words = {word: at for at, word in enumerate(("<pad>", "<end>", "ask", *ARMS))}
    built = Tokenizer(models.WordLevel(words, unk_token="<pad>"))
    built.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=built, pad_token="<pad>", eos_token="<end>")
    tokenizer.chat_template = "{% for message in messages %}{{ message.content }} {% endfor %}"
    torch.manual_seed(seed)
    model = Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=len(words),
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=8,
            initializer_range=0.3,
            pad_token_id=0,
            eos_token_id=1,
            bos_token_id=None,
        )
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def probabilities(folder: Path) -> torch.Tensor:
    """What the model thinks of each arm, (3,), summing to 1."""
    model, tokenizer = load(ModelOrder(id=1, name="bandit", source=str(folder)))
    asked = tokenizer("ask", return_tensors="pt", return_token_type_ids=False)
    with torch.no_grad():
        logits = model.eval()(**asked).logits[0, -1]
    return logits[tokenizer.convert_tokens_to_ids(list(ARMS))].double().softmax(-1)


def try_out(name: str, strength: float, seed: int, folder: Path) -> Result:
    """Trains one policy and compares it with IPO's closed form."""
    start = make_model(seed, folder / "start")
    order = _order(name, strength, seed, start, folder / "runs" / "1")
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        if code := train.carry_out(order):
            raise RuntimeError(f"{name} ended with {code}: {said.getvalue()[-2000:]}")
    reference, trained = probabilities(start), probabilities(order.result)
    solution, wanted = closed_form(reference, strength)
    return Result(
        technique=name,
        strength=strength,
        seed=seed,
        halfway=_distance(order, strength, STEPS // 2),
        end=_distance(order, strength, STEPS),
        wanted=wanted,
        apart=((trained - solution).abs().sum() / 2).item(),
        worst_arm=trained[2].item(),
    )


def _order(name: str, strength: float, seed: int, start: Path, folder: Path) -> Order:
    """Every batch holds each pair as often as the others, so steps differ only in the weights."""
    technique, adapter = techniques.get(name), adapters.get("full")
    folder.mkdir(parents=True)

    def says(role: str, word: str) -> list[dict[str, str]]:
        return [{"role": role, "content": word}]

    rows = [
        {"prompt": says("user", "ask"), "chosen": says("assistant", good), "rejected": says("assistant", bad)}
        for good, bad in PAIRS
    ]
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    given: dict[str, Any] = {
        "beta": strength,
        "learning_rate": LEARNING_RATE,
        "lr_scheduler_type": "cosine",
        "per_device_train_batch_size": len(PAIRS),
        "max_steps": STEPS,
        "logging_steps": 1,
        "save_steps": STEPS,
        "sample_prompts": 0,
    }
    order = Order(
        run_id=1,
        attempt=1,
        kind="train",
        folder=folder,
        spool=folder / "spool.jsonl",
        log=folder / "trainer.log",
        models=[ModelOrder(id=1, name="bandit", source=str(start))],
        data=DataOrder(path=folder / "pairs.jsonl", shape="preference", title="pairs"),
        parameters=technique.parameters(**given).model_dump(),
        adapter_parameters=adapter.parameters().model_dump(),
        seed=seed,
    )
    dispatch.fill(order, technique, adapter)
    order.write()
    return order


def _distance(order: Order, strength: float, step: int) -> float:
    """θ_a - θ_c in nats, from the reward margin logged at this step: the mean over the three pairs of
    strength · (θ_w - θ_l), whose distances add up to twice that of a and c."""
    for line in order.spool.read_text().splitlines():
        entry = json.loads(line)
        if entry["kind"] == "metric" and entry["step"] == step and "rewards/margins" in entry["data"]:
            return 1.5 * entry["data"]["rewards/margins"] / strength
    raise KeyError(step)


# ---- the table


def interval(values: list[float]) -> str:
    """The mean and half the width of its 95 % interval."""
    mean = statistics.mean(values)
    if len(values) < 2:
        return f"{mean:.3f}"
    width = STUDENT.get(len(values), 1.96) * statistics.stdev(values) / len(values) ** 0.5
    return f"{mean:.3f} ± {width:.3f}"


def report(results: list[Result]) -> str:
    lines = [
        "| loss | τ or β | closed form θa-θc | halfway | end | total variation from it | π(c) at the end |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in ("ipo", "dpo"):
        for strength in STRENGTHS:
            of = [r for r in results if (r.technique, r.strength) == (name, strength)]
            cells = [
                name,
                f"{strength:g}",
                f"{of[0].wanted:.3f}" if name == "ipo" else "none",
                *(interval([getattr(r, what) for r in of]) for what in ("halfway", "end", "apart")),
                f"{max(r.worst_arm for r in of):.1e} at most",
            ]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", *verdicts(results)])


def verdicts(results: list[Result]) -> list[str]:
    worst = max(r.apart for r in results if r.technique == "ipo")
    reached = worst < NEAR
    runaway = [r.end - r.halfway for r in results if r.technique == "dpo"]
    beyond = min(r.end / r.wanted for r in results if r.technique == "dpo")
    saturates = min(runaway) > 0 and beyond > 1
    return [
        f"IPO within {NEAR} of its closed form for every τ and seed (worst {worst:.4f}): "
        + ("met" if reached else "FAILED"),
        f"DPO goes on growing for every β and seed (least {min(runaway):+.2f} nats in the second half), past "
        f"IPO's solution of the same strength ({beyond:.1f} times at least): "
        + ("met" if saturates else "FAILED"),
    ]


def main(seeds: list[int]) -> list[Result]:
    results = []
    for seed in seeds:
        for name in ("ipo", "dpo"):
            for strength in STRENGTHS:
                with tempfile.TemporaryDirectory() as folder:
                    results.append(try_out(name, strength, seed, Path(folder)))
    return results


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = main(options.seeds)
    print(report(found))
    if options.json:
        options.json.write_text(json.dumps([asdict(each) for each in found], indent=1) + "\n")
