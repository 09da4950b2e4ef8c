"""PPO of the studio against the last TRL release that had one: reward reached and CPU time, same seeds
and steps.

    python benchmarks/ppo_against_trl.py [--seeds 3] [--rollouts 16]

TRL 1.12.0 is the last release with `trl.experimental.ppo` (1.13.0 is without). It is installed into an
environment of its own in a temporary folder, on top of the present one, so that torch and transformers
are the same.

Both sides train the starter model on the medication directions with the same rollouts, batches, epochs,
sampling, learning rate, KL weight and clips. The score is the same function of token ids: the share of
the wanted answer's tokens that stand where they should. TRL takes a reward model only, so it gets that
function as one. What is compared is the score of answers sampled for held-out prompts by the same code
after training; imports and that sampling are not in the CPU time. The runs alternate, so that a machine
whose speed drifts does not decide."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
MODEL = str(ROOT / "examples/starter-model")
PEER = "1.12.0"
ANSWERS, LENGTH, EPOCHS, RATE, KL = 32, 64, 4, 2e-4, 0.05
T_975 = {1: 12.71, 2: 4.30, 3: 3.18, 4: 2.78, 5: 2.57, 6: 2.45, 7: 2.36, 8: 2.31, 9: 2.26}  # Student, 95 %


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rollouts", type=int, default=16)
    parser.add_argument("--side", choices=["ours", "theirs"], help="one run, in the present environment")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    if given.side:
        print(json.dumps(train(given.side, given.seed, given.rollouts)))
        return
    with tempfile.TemporaryDirectory() as folder:
        interpreters = {"ours": sys.executable, "theirs": peer_environment(Path(folder) / "peer")}
        results: dict[str, list[dict]] = {"ours": [], "theirs": []}
        for seed in range(given.seeds):
            for side in ("ours", "theirs") if seed % 2 else ("theirs", "ours"):
                result = run(interpreters[side], side, seed, given.rollouts)
                results[side].append(result)
                print(f"seed {seed}  {side:6}  {summary(result)}", flush=True)
        report(results)


def peer_environment(folder: Path) -> str:
    """An environment with the peer's TRL and everything else of the present one; returns its
    interpreter."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin/python"
    command = [python, "-m", "pip", "install", "--quiet", "--no-deps", f"trl=={PEER}"]
    subprocess.run(command, check=True)
    site = next((folder / "lib").glob("python*/site-packages"))
    (site / "present.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return str(python)


def run(python: str, side: str, seed: int, rollouts: int) -> dict:
    command = [python, __file__, "--side", side, "--seed", str(seed), "--rollouts", str(rollouts)]
    quiet = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
    quiet |= {"TRL_EXPERIMENTAL_SILENCE": "1", "PYTHONPATH": str(ROOT), "TRANSFORMERS_VERBOSITY": "error"}
    done = subprocess.run(command, env=os.environ | quiet, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{side} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def summary(result: dict) -> str:
    curve = result["scores"]
    quarter = max(len(curve) // 4, 1)
    first, last = statistics.mean(curve[:quarter]), statistics.mean(curve[-quarter:])
    return (
        f"held out {result['before']:.3f} → {result['after']:.3f}   in training {first:.3f} → {last:.3f}   "
        f"{result['cpu']:.1f} CPU s   TRL {result['trl']}"
    )


def report(results: dict[str, list[dict]]) -> None:
    spans = {}
    for side, runs in results.items():
        ends = [result["after"] for result in runs]
        mean = statistics.mean(ends)
        half = T_975[len(ends) - 1] * statistics.stdev(ends) / len(ends) ** 0.5
        spans[side] = (mean - half, mean + half)
        print(f"{side:6}  held-out score {mean:.3f}, 95 % interval {mean - half:.3f} to {mean + half:.3f}")
    overlap = spans["ours"][0] <= spans["theirs"][1] and spans["theirs"][0] <= spans["ours"][1]
    print(f"intervals overlap: {'yes' if overlap else 'no'} (goal yes)")
    pairs = zip(results["ours"], results["theirs"], strict=True)
    ratios = [mine["cpu"] / other["cpu"] for mine, other in pairs]
    print(f"CPU time, ours / theirs: median {statistics.median(ratios):.3f}x (goal 1.0x), ", end="")
    print(f"from {min(ratios):.3f} to {max(ratios):.3f}")


# One run, in either environment.


def train(side: str, seed: int, rollouts: int) -> dict:
    warnings.simplefilter("ignore")
    import torch
    import trl
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(MODEL)
    policy = AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32)
    rows = [wanted_answer(row, tokenizer) for row in lines("prompts")]
    unseen = [wanted_answer(row, tokenizer) for row in lines("test")][:128]
    before = held_out(policy, unseen, tokenizer)
    with tempfile.TemporaryDirectory() as folder:
        trainer, scores = (ours if side == "ours" else theirs)(
            policy, rows, tokenizer, seed, rollouts, folder
        )
        started = time.process_time()
        trainer.train()
        cpu = time.process_time() - started
    after = held_out(policy, unseen, tokenizer)
    return {"before": before, "after": after, "scores": scores, "cpu": cpu, "trl": trl.__version__}


def lines(name: str) -> list[dict]:
    text = (ROOT / f"examples/medication_directions/{name}.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def wanted_answer(row: dict, tokenizer: Any) -> dict:
    """The prompt as ids and as messages, and the ids of the answer that is wanted."""
    messages = [message for message in row["messages"] if message["role"] != "assistant"]
    said = [message["content"] for message in row["messages"] if message["role"] == "assistant"]
    ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
    wanted = tokenizer(said[0] if said else row["reference_answer"])["input_ids"]
    return {"prompt": messages, "prompt_ids": ids, "wanted": [*wanted, tokenizer.eos_token_id]}


def score(answer: list[int], wanted: list[int]) -> float:
    """Share of the wanted tokens that stand where they should; longer answers count what is too much."""
    return sum(a == b for a, b in zip(answer, wanted, strict=False)) / max(len(answer), len(wanted))


def held_out(policy: Any, rows: list[dict], tokenizer: Any) -> float:
    """Mean score of one sampled answer to each prompt."""
    import torch

    padded = tokenizer.pad({"input_ids": [row["prompt_ids"] for row in rows]}, return_tensors="pt")
    torch.manual_seed(0)
    policy.eval()
    with torch.no_grad():
        answers = policy.generate(
            **padded, max_new_tokens=LENGTH, do_sample=True, top_k=0, eos_token_id=tokenizer.eos_token_id
        )
    answers = answers[:, padded["input_ids"].shape[1] :].tolist()
    ended = [until_end(answer, tokenizer) for answer in answers]
    return statistics.mean(score(answer, row["wanted"]) for answer, row in zip(ended, rows, strict=True))


def until_end(answer: list[int], tokenizer: Any) -> list[int]:
    end = tokenizer.eos_token_id
    return answer[: answer.index(end) + 1] if end in answer else answer


def shared_settings(seed: int, folder: str) -> dict[str, Any]:
    return {
        "output_dir": folder,
        "seed": seed,
        "per_device_train_batch_size": ANSWERS,
        "num_ppo_epochs": EPOCHS,
        "num_mini_batches": 1,
        "learning_rate": RATE,
        "lr_scheduler_type": "constant",
        "adam_epsilon": 1e-5,
        "kl_coef": KL,
        "temperature": 1.0,
        "bf16": False,
        "use_cpu": True,
        "activation_checkpointing": False,
        "report_to": [],
        "disable_tqdm": True,
        "save_strategy": "no",
        "logging_steps": 1,
        "dataloader_pin_memory": False,
    }


def ours(
    policy: Any, rows: list[dict], tokenizer: Any, seed: int, rollouts: int, folder: str
) -> tuple[Any, list[float]]:
    from datasets import Dataset

    from worker.trainers.ppo import PPOConfig, PPOTrainer

    scores: list[float] = []

    def agreement(completion_ids: list[list[int]], wanted: list[list[int]], **_: Any) -> list[float]:
        found = [score(answer, right) for answer, right in zip(completion_ids, wanted, strict=True)]
        scores.append(statistics.mean(found))
        return found

    data = Dataset.from_list([{"prompt": row["prompt"], "wanted": row["wanted"]} for row in rows])
    settings = shared_settings(seed, folder) | {
        "max_steps": rollouts * EPOCHS,
        "max_completion_length": LENGTH,
    }
    trainer = PPOTrainer(
        policy, [agreement], PPOConfig(**settings), train_dataset=data, processing_class=tokenizer
    )
    return trainer, scores


def theirs(
    policy: Any, rows: list[dict], tokenizer: Any, seed: int, rollouts: int, folder: str
) -> tuple[Any, list[float]]:
    import copy

    import torch
    from datasets import Dataset
    from transformers import AutoModelForSequenceClassification, set_seed
    from trl.experimental.ppo import PPOConfig, PPOTrainer

    scores: list[float] = []
    known = {tuple(row["prompt_ids"]): row["wanted"] for row in rows}
    longest = max(len(row["prompt_ids"]) for row in rows)

    class Agreement(torch.nn.Module):
        """The score as a reward model: the only hidden state is the score of the answer up to each
        token."""

        base_model_prefix = "backbone"

        def __init__(self) -> None:
            super().__init__()
            self.backbone = self.read
            self.score = torch.nn.Identity()

        def read(self, input_ids: Any, attention_mask: Any, **_: Any) -> Any:
            state = torch.zeros(*input_ids.shape, 1)
            for place, (ids, seen) in enumerate(
                zip(input_ids.tolist(), attention_mask.tolist(), strict=True)
            ):
                real = [token for token, there in zip(ids, seen, strict=True) if there]
                prompt = next(n for n in range(longest, 0, -1) if tuple(real[:n]) in known)
                state[place] = score(real[prompt:], known[tuple(real[:prompt])])
            scores.append(state[:, -1, 0].mean().item())
            return type("Output", (), {"hidden_states": [state]})()

    set_seed(seed)
    value_model = AutoModelForSequenceClassification.from_pretrained(MODEL, num_labels=1, dtype=torch.float32)
    data = Dataset.from_list([{"input_ids": row["prompt_ids"]} for row in rows])
    settings = shared_settings(seed, folder) | {
        "total_episodes": rollouts * ANSWERS,
        "response_length": LENGTH,
        "stop_token": "eos",
        "num_sample_generations": 0,
        "eval_strategy": "no",
    }
    trainer = PPOTrainer(
        args=PPOConfig(**settings),
        processing_class=tokenizer,
        model=policy,
        ref_model=copy.deepcopy(policy),
        reward_model=Agreement(),
        train_dataset=data,
        eval_dataset=data.select(range(1)),
        value_model=value_model,
    )
    return trainer, scores


if __name__ == "__main__":
    main()
