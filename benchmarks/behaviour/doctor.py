"""Does the run doctor find what is wrong, and keep silent where nothing is? Runs gone wrong on purpose, of
every kind its rules know, and healthy ones of every technique, by the studio's own trainer.

    python -m benchmarks.behaviour.doctor [--record] [--only NAME …]

`--record` trains them, on the starter model, and keeps their series in `tests/studio/doctor/recorded`;
without it the doctor looks at what is kept there, and a table is printed.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch.utils.data import dataloader

from benchmarks.behaviour import harness, light, supervised
from benchmarks.behaviour.harness import EXACT, Trained
from benchmarks.behaviour.reasoning import prompts, talking_on
from benchmarks.sft_sample import STARTER, read
from studio import doctor, weights
from studio.doctor import Checkup, Rule
from tests.studio.doctor import recordings
from worker import train
from worker.order import GraderOrder, Order

SEED = 1
WAIT = 1.5  # seconds a batch that comes slowly is waited for
Rows = Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Case:
    """One training. `wanted` is the rule that has to find something; empty: none may. `start` names the model
    to begin from."""

    name: str
    technique: str
    wanted: str
    rows: Callable[[], Rows]
    shape: str
    held_out: Callable[[], Rows] | None = None
    start: str = ""
    adapter: str = "full"
    parts: tuple[GraderOrder, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)


# ---- what they learn from


def chats() -> Rows:
    return read("train")[:400]


def other_chats() -> Rows:
    return read("train")[400:440]


def one_word() -> Rows:
    """Thirty directions at once, and one word for an answer."""
    asked = [row["messages"][-2]["content"] for row in chats()]
    return [
        {
            "messages": [
                {"role": "user", "content": " ".join(asked[at : at + 30])},
                {"role": "assistant", "content": "ok"},
            ]
        }
        for at in range(0, 360, 6)
    ]


def pairs() -> Rows:
    return shuffled("preference")[:480]


def other_pairs() -> Rows:
    return shuffled("preference")[1000:1040]


def shuffled(name: str) -> list[dict[str, Any]]:
    found = read(name)
    random.Random(0).shuffle(found)
    return found


def thumbs() -> Rows:
    return shuffled("thumbs")[:480]


def texts() -> Rows:
    return supervised.domain()[0][:480]


def other_texts() -> Rows:
    return supervised.domain()[1][:40]


def grader(name: str, weight: float = 1.0, **parameters: Any) -> GraderOrder:
    return GraderOrder(name=name, grader=name, weight=weight, parameters=parameters)


NEVER = grader("contains", phrases=["no answer says this"])
ALWAYS = grader("length", at_least=0, at_most=10_000)
LONG = grader("length", unit="characters", at_least=600, at_most=10_000, margin=600)
REASONING = {
    "rows": prompts,
    "shape": "prompt",
    "start": "taught",
    "settings": {"per_device_train_batch_size": 32, "max_steps": 16},
}
LONGER = REASONING | {"settings": {"per_device_train_batch_size": 48, "max_steps": 24}}
PPO = REASONING | {"settings": {"per_device_train_batch_size": 24, "max_steps": 80}}
STOPPING = REASONING | {
    "start": "talkative",
    "parts": tuple(EXACT),
    "settings": {"per_device_train_batch_size": 32, "max_steps": 30, "max_completion_length": 80},
}
TALKATIVE = REASONING | {"start": "talkative", "parts": (LONG,)}
PAIRS = {"rows": pairs, "shape": "preference", "start": "taught"}
CHATS = {"rows": chats, "shape": "chat"}


def bad(name: str, technique: str, wanted: str, given: dict[str, Any], **more: Any) -> Case:
    known = {key: more.pop(key) for key in ("held_out", "start", "adapter", "parts") if key in more}
    settings = given.get("settings", {}) | more
    return Case(name, technique, wanted, **(given | known | {"settings": settings}))


def healthy(technique: str, given: dict[str, Any], suffix: str = "", **more: Any) -> Case:
    return bad(f"healthy_{technique}{suffix}", technique, "", given, **more)


BAD = [
    bad("sft_rate_1", "sft", "diverged", CHATS, learning_rate=1.0, max_steps=60),
    bad("sft_lora_rate_1", "sft", "diverged", CHATS, adapter="lora", learning_rate=1.0, max_steps=60),
    bad("dpo_rate_half", "dpo", "diverged", PAIRS, learning_rate=0.5, max_steps=40),
    bad("grpo_rate_half", "grpo", "diverged", REASONING, parts=tuple(EXACT), learning_rate=0.5),
    bad("sft_rate_high", "sft", "rate_high", CHATS, learning_rate=0.03, max_steps=100),
    bad("sft_lora_rate_high", "sft", "diverged", CHATS, adapter="lora", learning_rate=0.15, max_steps=100),
    bad("dpo_rate_high", "dpo", "likelihood", PAIRS, learning_rate=0.01),
    bad("cpt_rate_high", "cpt", "rate_high", {"rows": texts, "shape": "text"}, learning_rate=0.05),
    bad("sft_rate_low", "sft", "rate_low", CHATS, learning_rate=1e-6, max_steps=100),
    bad("dpo_rate_low", "dpo", "rate_low", PAIRS, learning_rate=1e-9),
    bad("grpo_rate_low", "grpo", "rate_low", REASONING, parts=tuple(EXACT), learning_rate=1e-8),
    bad(
        "sft_twenty_rows",
        "sft",
        "overfitting",
        {"rows": lambda: chats()[:20], "shape": "chat", "held_out": other_chats},
        num_train_epochs=50.0,
        eval_steps=10,
    ),
    bad(
        "dpo_forty_pairs",
        "dpo",
        "likelihood",
        {"rows": lambda: pairs()[:40], "shape": "preference", "held_out": other_pairs, "start": "taught"},
        num_train_epochs=25.0,
        learning_rate=3e-4,
        eval_steps=5,
    ),
    bad(
        "reward_model_forty_pairs",
        "reward_model",
        "overfitting",
        {"rows": lambda: pairs()[:40], "shape": "preference", "held_out": other_pairs, "start": "taught"},
        num_train_epochs=25.0,
        eval_steps=5,
    ),
    bad("dpo_chosen_falls", "dpo", "likelihood", PAIRS, learning_rate=1e-3),
    bad("ipo_chosen_falls", "ipo", "likelihood", PAIRS, learning_rate=1e-3, beta=0.01),
    bad("simpo_chosen_falls", "simpo", "likelihood", PAIRS, learning_rate=1e-3),
    bad("grpo_never_right", "grpo", "no_signal", REASONING, parts=(NEVER,)),
    bad("rloo_always_right", "rloo", "no_signal", REASONING, parts=(ALWAYS,)),
    bad("ppo_never_right", "ppo", "no_signal", PPO, parts=(NEVER,)),
    bad("grpo_collapses", "grpo", "entropy", STOPPING, learning_rate=1e-3),
    bad("grpo_cold", "grpo", "entropy", REASONING, parts=tuple(EXACT), temperature=0.1),
    bad("grpo_runs_away", "grpo", "kl", TALKATIVE, learning_rate=2e-3, beta=1e-4),
    bad(
        "ppo_runs_away",
        "ppo",
        "kl",
        TALKATIVE | {"settings": PPO["settings"]},
        learning_rate=2e-3,
        kl_coef=1e-4,
    ),
    bad(
        "grpo_cut_off",
        "grpo",
        "truncation",
        REASONING,
        parts=tuple(EXACT),
        max_completion_length=24,
    ),
    bad(
        "rloo_paid_by_length",
        "rloo",
        "length",
        REASONING | {"start": "talkative"},
        parts=(LONG,),
        max_completion_length=160,
    ),
    bad("sft_learns_prompts", "sft", "masks", CHATS, loss_on="everything", max_steps=60),
    bad(
        "sft_learns_nothing",
        "sft",
        "masks",
        {"rows": one_word, "shape": "chat"},
        max_length=1024,
        per_device_train_batch_size=4,
        max_steps=12,
    ),
    bad("sft_rows_cut", "sft", "rows_cut", CHATS, max_length=48, max_steps=60),
    bad("sft_slow_data", "sft", "loader", CHATS, max_steps=40),
]
HEALTHY = [
    healthy("sft", CHATS | {"held_out": other_chats}, num_train_epochs=4.0, eval_steps=20),
    healthy("sft", CHATS | {"held_out": other_chats}, "_lora", adapter="lora", num_train_epochs=4.0),
    healthy("sft", CHATS, "_taught", start="taught", num_train_epochs=2.0),
    healthy("cpt", {"rows": texts, "shape": "text", "held_out": other_texts}),
    healthy(
        "distillation", {"rows": prompts, "shape": "prompt"}, "_on_policy", mode="on_policy", max_steps=40
    ),
    *(
        healthy(name, PAIRS | {"held_out": other_pairs})
        for name in ("dpo", "ipo", "orpo", "simpo", "iterative_rpo", "relative_po", "reward_model")
    ),
    healthy("dpo", PAIRS | {"held_out": other_pairs}, "_lora", adapter="lora"),
    healthy("kto", {"rows": thumbs, "shape": "labelled", "start": "taught"}),
    *(healthy(name, REASONING, parts=tuple(EXACT)) for name in ("grpo", "dr_grpo", "dapo", "gspo", "rloo")),
    healthy("ppo", PPO, parts=tuple(EXACT)),
    healthy("grpo", LONGER, "_lora", parts=tuple(EXACT), adapter="lora", beta=0.04),
    healthy("embedding", {"rows": lambda: light.read("direction_search", "train"), "shape": "retrieval"}),
    healthy(
        "feature_classifier",
        {"rows": lambda: light.read("content_quality", "train"), "shape": "classification"},
        adapter="frozen",
    ),
]


# ---- making them


class Starts:
    """Models to begin from, made when first needed."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._made: dict[str, Path] = {"": STARTER}

    def of(self, name: str) -> Path:
        if name not in self._made:
            more = {
                "taught": {"num_train_epochs": 1.0},
                "talkative": {"max_length": 512, "num_train_epochs": 3.0},
            }
            rows = read("train") if name == "taught" else talking_on(SEED)
            made = harness.train("sft", self._folder / name, seed=SEED, rows=rows, shape="chat", **more[name])
            self._made[name] = made.order.result
        return self._made[name]


def carry_out(case: Case, starts: Starts, folder: Path) -> Trained:
    given: dict[str, Any] = dict(case.settings)
    if case.technique == "distillation":
        given["input_models"] = {"teacher_model": starts.of("taught")}
    return harness.train(
        case.technique,
        folder,
        seed=SEED,
        start=starts.of(case.start),
        rows=case.rows(),
        shape=case.shape,
        held_out=case.held_out() if case.held_out else (),
        adapter=case.adapter,
        parts=case.parts,
        may_fail=True,
        carry_out=lambda run: in_a_fork(run, slowly=case.wanted == "loader"),
        **given,
    )


def in_a_fork(run: Path, *, slowly: bool) -> tuple[int, str]:
    """The studio's trainer in a copy of this process, which has imported torch already; `slowly` with data
    that keep it waiting."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), (run / "trainer.log").read_text()
    said = os.open(run / "trainer.log", os.O_WRONLY | os.O_CREAT)
    os.dup2(said, 1)
    os.dup2(said, 2)
    if slowly:
        at_once = dataloader._BaseDataLoaderIter.__next__
        dataloader._BaseDataLoaderIter.__next__ = lambda rows: (time.sleep(WAIT), at_once(rows))[1]
    os._exit(train.carry_out(Order.read(run)))


def recording(case: Case, made: Trained) -> dict[str, Any]:
    """What the doctor sees of a run, as JSON."""
    series: dict[str, list[list[Any]]] = {}
    for row in made.logged:
        for key, value in row.items():
            if key != "step":
                series.setdefault(key, []).append([row["step"], value])
    return {
        "made": f"python -m benchmarks.behaviour.doctor --record --only {case.name}",
        "wanted": case.wanted,
        "technique": case.technique,
        "adapter": case.adapter,
        "shape": case.shape,
        "size": weights.inspect(STARTER)["parameters"],
        "rows": len(case.rows()),
        "held_out": case.held_out is not None,
        "parameters": made.order.parameters,
        "graders": [
            part.model_dump(include={"name", "grader", "weight", "parameters"}) for part in case.parts
        ],
        "error": {name: made.error[name] for name in ("kind", "message") if name in made.error},
        "total_steps": max((row["step"] for row in made.logged), default=0),
        "series": {
            key: [
                [step, value if isinstance(value, str) else float(f"{value:.5g}")] for step, value in points
            ]
            for key, points in series.items()
        },
    }


def record(cases: Sequence[Case]) -> None:
    recordings.FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        starts = Starts(Path(folder))
        for case in cases:
            made = carry_out(case, starts, Path(folder) / case.name)
            text = json.dumps(recording(case, made), separators=(",", ":"))
            (recordings.FOLDER / f"{case.name}.json").write_text(text + "\n")
            print(f"{case.name}: {made.wall:.0f} s {made.error.get('message', '')}", flush=True)


# ---- what the doctor says of them


def report() -> str:
    """For every rule: the bad runs it should find and found, and the healthy runs it looked at and raised an
    alarm in."""
    limits = {name: each.value for name, each in doctor.shipped().items()}
    seen = [(each, doctor.diagnose(each.patient, limits)) for each in recordings.every()]
    rows = []
    for rule in doctor.all():
        bad = [checkup for each, checkup in seen if each.wanted == rule.name]
        well = [checkup for each, checkup in seen if not each.wanted and rule in checkup.looked]
        hits, alarms = (sum(_speaks(rule, each) for each in some) for some in (bad, well))
        rows.append([rule.title, f"{hits} of {len(bad)}", f"{alarms} of {len(well)}"])
    ill = [each.wanted in {rule.name for rule, _ in found.findings} for each, found in seen if each.wanted]
    sound = [not found.findings for each, found in seen if not each.wanted]
    counted = f"{sum(ill)} bad runs found of {len(ill)}; {sum(sound)} healthy of {len(sound)} without alarm."
    names = sorted({each.patient.technique.title for each, _ in seen if not each.wanted})
    return "\n\n".join(
        [
            harness.table(["rule", "bad runs found", "healthy runs with an alarm"], rows),
            counted,
            f"Healthy runs: {', '.join(names)}.",
        ]
    )


def _speaks(rule: Rule, checkup: Checkup) -> bool:
    return any(each is rule for each, _ in checkup.findings)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--only", nargs="+", default=[])
    given = parser.parse_args()
    known = {case.name: case for case in (*BAD, *HEALTHY)}
    cases = [known[name] for name in given.only or known]
    if given.record:
        record(cases)
    else:
        print(report())


if __name__ == "__main__":
    main()
