"""Does reinforcement learning raise the held-out verifiable reward over the supervised start? On the sample
use case, with several seeds and intervals.

    python -m benchmarks.behaviour.reasoning --seeds 1 2 3 [--only grpo dapo] [--part raise overlong]

Each seed has a start of its own: the starter model after one epoch of supervised fine-tuning, so that it
is right often enough to learn from and wrong often enough to gain. Each technique goes on from there with the
settings the studio suggests for this model, on the 1,200 prompts; the reward is exact match; greedy answers
to the 600 test rows, which nothing learned from, are the measure.

Parts: `raise`, all techniques; `dapo`, whether dynamic sampling leaves no group without signal and needs
fewer updates than the same without it; `overlong`, whether the soft punishment lowers truncation at equal
accuracy; `gspo`, whether GSPO clips far more than GRPO. Behaviour checks on a tiny model, no reproduction of
a paper.
"""

import argparse
import json
import random
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.behaviour import harness
from benchmarks.behaviour.harness import EXACT, Score, Trained
from benchmarks.sft_sample import read
from worker.order import GraderOrder

NAMES = ("grpo", "dr_grpo", "dapo", "gspo", "rloo", "ppo")
PARTS = ("raise", "dapo", "overlong", "gspo")
START_EPOCHS = 1.0
# Of the start that talks on: passes over its rows, the longest answer (that of `harness.score`), and updates.
TALK_EPOCHS, TALK_TOKENS, TALK_STEPS = 4.0, 96, 20
FOUND_ANYWHERE = GraderOrder(name="json_fields", grader="json_fields", parameters={"find": "anywhere"})
CLIPPED = ("clip_ratio/region_mean", "clip_ratio/high_mean", "clip_ratio/low_mean")


class Starts:
    """The supervised start of each seed and its score, made when first needed."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._made: dict[int, tuple[Path, Score]] = {}

    def of(self, seed: int) -> tuple[Path, Score]:
        if seed not in self._made:
            made = harness.train(
                "sft",
                self._folder / f"start-{seed}",
                seed=seed,
                rows=read("train"),
                shape="chat",
                num_train_epochs=START_EPOCHS,
            )
            self._made[seed] = made.order.result, harness.score(made.order.result)
        return self._made[seed]


def learn(name: str, seed: int, start: Path, **settings: Any) -> tuple[Trained, Score]:
    """One technique from one start, and what its result answers."""
    with tempfile.TemporaryDirectory() as folder:
        made = harness.train(
            name,
            Path(folder),
            seed=seed,
            start=start,
            rows=prompts(),
            shape="prompt",
            parts=EXACT,
            **settings,
        )
        return made, harness.score(made.order.result)


def prompts() -> list[dict[str, Any]]:
    return [
        {"prompt": row["messages"], **{key: value for key, value in row.items() if key != "messages"}}
        for row in read("prompts")
    ]


# ---- the four parts


def raising(names: list[str], seeds: list[int], starts: Starts) -> list[str]:
    """Every technique against its start: the gain in exact match, its interval, and whether it is one."""
    rows, verdicts = [], []
    for name in names:
        before, after, cpu = [], [], []
        for seed in seeds:
            start, was = starts.of(seed)
            made, now = learn(name, seed, start)
            before.append(was.all())
            after.append(now.all())
            cpu.append(made.cpu)
            rows.append(
                [
                    name,
                    str(seed),
                    harness.shown(was),
                    harness.shown(now),
                    harness.shown(now, "hard"),
                    f"{made.cpu:.0f}",
                ]
            )
            print("  ".join(rows[-1]), flush=True)
        mean, low, high = harness.gain(before, after)
        word = "met" if low > 0 else "failed"
        verdicts.append(
            f"{name}: {mean:+.1%} ({low:+.1%} to {high:+.1%}), raises the held-out reward: {word}"
        )
    print(harness.table(["technique", "seed", "start (95 %)", "after (95 %)", "hard slice", "CPU s"], rows))
    return verdicts


def dynamic(seeds: list[int], starts: Starts) -> list[str]:
    """DAPO with and without dynamic sampling: groups without signal in what is trained on, and the updates it
    takes until the mean reward of what the model answers reaches that of the other at its end."""
    rows, verdicts, fewer = [], [], []
    for seed in seeds:
        start, _ = starts.of(seed)
        found = {on: learn("dapo", seed, start, dynamic_sampling=on) for on in (True, False)}
        dead = {on: found[on][0].mean("frac_reward_zero_std") for on in found}
        score = {on: found[on][1] for on in found}
        reached = first_step(found[True][0], "dynamic_sampling/reward", end(found[False][0], "reward"))
        steps = len(found[False][0].series("reward"))
        fewer.append(reached / steps)
        rows.append(
            [
                str(seed),
                f"{dead[False]:.0%}",
                f"{dead[True]:.0%}",
                harness.shown(score[False]),
                harness.shown(score[True]),
                f"{reached} of {steps}",
            ]
        )
        print("  ".join(rows[-1]), flush=True)
    print(
        harness.table(
            [
                "seed",
                "no signal, without",
                "no signal, with",
                "after, without",
                "after, with",
                "updates to the other's end",
            ],
            rows,
        )
    )
    none = all(row[2] == "0%" for row in rows)
    verdicts.append(f"dynamic sampling leaves no group without signal: {'met' if none else 'failed'}")
    verdicts.append(
        f"dynamic sampling needs fewer updates: {harness.interval(fewer)} of those without, "
        f"{'met' if all(each < 1 for each in fewer) else 'failed'}"
    )
    return verdicts


def word(holds: bool) -> str:
    return "met" if holds else "failed"


def end(made: Trained, key: str, last: int = 5) -> float:
    values = made.series(key)[-last:]
    return sum(values) / len(values)


def first_step(made: Trained, key: str, wanted: float, over: int = 5) -> int:
    """The first update at which the mean of the last `over` values reaches `wanted`; one more than all where
    none does."""
    values = made.series(key)
    for at in range(1, len(values) + 1):
        some = values[max(0, at - over) : at]
        if len(some) == over and sum(some) / over >= wanted:
            return at
    return len(values) + 1


def overlong(seeds: list[int], starts: Starts) -> list[str]:
    """DAPO with and without the soft punishment, from a start that talks on: after its answer it says the
    direction again, up to six times. What it says does not count, so nothing but the punishment tells it to
    stop before it is cut."""
    rows, less, change = [], [], ([], [])
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            start = harness.train(
                "sft",
                Path(folder),
                seed=seed,
                rows=talking_on(seed),
                shape="chat",
                max_length=512,
                num_train_epochs=TALK_EPOCHS,
            )
            made = [
                learn_at_length(seed, start.order.result, soft_overlong_share=share) for share in (0.0, 0.2)
            ]
        cut = [end(trained, "completions/clipped_ratio") for trained, _ in made]
        less.append(cut[1] - cut[0])
        for kept, (_, right) in zip(change, made, strict=True):
            kept.append(right.all())
        first = made[0][0].series("completions/clipped_ratio")[0]
        rows.append([str(seed), f"{first:.1%}", *(f"{each:.1%}" for each in cut)])
        rows[-1] += [harness.shown(right) for _, right in made]
        print("  ".join(rows[-1]), flush=True)
    print(
        harness.table(
            ["seed", "truncated at first", "in the end, without", "with", "right, without", "with"], rows
        )
    )
    mean, low, high = harness.gain(*change)
    lower = all(each < 0 for each in less)
    return [
        f"soft overlong lowers truncation by {harness.interval([-each for each in less])}: {word(lower)}",
        f"at equal accuracy, {mean:+.1%} ({low:+.1%} to {high:+.1%}): {word(high > -0.02)}",
    ]


def talking_on(seed: int) -> list[dict[str, Any]]:
    """The labelled rows; behind each answer stands the direction, zero to six times."""
    drawn, rows = random.Random(seed), []
    for row in read("train"):
        *asked, answer = row["messages"]
        again = [asked[-1]["content"]] * drawn.randint(0, 6)
        said = {**answer, "content": " ".join([answer["content"], *again])}
        rows.append({**row, "messages": [*asked, said]})
    return rows


def learn_at_length(seed: int, start: Path, **settings: Any) -> tuple[Trained, Score]:
    """DAPO where the answer counts wherever it stands, and how many are right within the same length."""
    with tempfile.TemporaryDirectory() as folder:
        made = harness.train(
            "dapo",
            Path(folder),
            seed=seed,
            start=start,
            rows=prompts(),
            shape="prompt",
            parts=[FOUND_ANYWHERE],
            max_completion_length=TALK_TOKENS,
            max_steps=TALK_STEPS,
            **settings,
        )
        return made, harness.score(made.order.result, grader=FOUND_ANYWHERE)


def clipping(seeds: list[int], starts: Starts) -> list[str]:
    """The share that is clipped in GRPO and in GSPO, each with its own range and the same mini-batches."""
    rows, ratio = [], []
    for seed in seeds:
        start, _ = starts.of(seed)
        shares = {}
        for name in ("grpo", "gspo"):
            made, _ = learn(name, seed, start, **same_minibatches(name))
            shares[name] = made.mean(CLIPPED[0])
        ratio.append(shares["gspo"] / max(shares["grpo"], 1e-6))
        rows.append([str(seed), f"{shares['grpo']:.3%}", f"{shares['gspo']:.3%}", f"{ratio[-1]:.0f}×"])
        print("  ".join(rows[-1]), flush=True)
    print(harness.table(["seed", "GRPO clips", "GSPO clips", "ratio"], rows))
    return [f"GSPO clips far more than GRPO: {'met' if all(each > 3 for each in ratio) else 'failed'}"]


def same_minibatches(name: str) -> dict[str, Any]:
    """Both off-policy alike, with four updates per generation; each with the ε of its paper."""
    shared: dict[str, Any] = {"max_steps": 40, "updates_per_generation": 4}
    return shared | ({"epsilon": 3e-4, "epsilon_high": 4e-4} if name == "gspo" else {"epsilon": 0.2})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--only", nargs="+", choices=NAMES, default=list(NAMES))
    parser.add_argument("--part", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    verdicts: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        starts = Starts(Path(folder))
        if "raise" in given.part:
            verdicts += raising(given.only, given.seeds, starts)
        for part, check in (("dapo", dynamic), ("overlong", overlong), ("gspo", clipping)):
            if part in given.part:
                verdicts += check(given.seeds, starts)
    print("\n".join(verdicts))
    if given.json:
        given.json.write_text(json.dumps(verdicts, indent=2) + "\n")


if __name__ == "__main__":
    main()
