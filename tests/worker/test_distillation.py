"""Distillation keeps the teacher's best answers, says what it refused, and resumes without asking again."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.running import SAMPLE
from worker.trainers import distillation

STARTER = SAMPLE.parent / "starter-model"
ROWS = [json.loads(line) for line in (SAMPLE / "prompts.jsonl").read_text().splitlines()[:12]]
PROMPTS = Dataset.from_list(
    [
        {"prompt": row["messages"], "row": json.dumps({"reference_answer": row["reference_answer"]})}
        for row in ROWS
    ]
)
SHARED = {
    "per_device_train_batch_size": 4,
    "max_steps": 2,
    "report_to": [],
    "use_cpu": True,
    "bf16": False,
    "max_completion_length": 24,
    "activation_checkpointing": False,
    "disable_tqdm": True,
    "save_strategy": "no",
}


def load() -> Any:
    return AutoModelForCausalLM.from_pretrained(STARTER), AutoTokenizer.from_pretrained(STARTER)


def braces(prompts: Any, completions: Any, **_: Any) -> list[float]:
    """1 for an answer that begins like JSON and is told apart by its length."""
    return [float(len(answer[0]["content"]) % 2) for answer in completions]


def test_the_best_answer_is_kept_and_the_report_counts_the_rest(tmp_path: Path) -> None:
    model, tokenizer = load()
    args = distillation.configure(
        "answers", output_dir=str(tmp_path), teacher_answers=3, threshold=1.0, beta=1.0, **SHARED
    )
    assert isinstance(args, distillation.AnswersConfig)
    trainer = distillation.distil(
        model=model,
        teacher_model=load()[0],
        args=args,
        train_dataset=PROMPTS,
        eval_dataset=PROMPTS.select(range(3)),
        processing_class=tokenizer,
        reward_funcs=[braces],
    )
    told = trainer.report["distillation"]
    kept = [json.loads(line) for line in (tmp_path / "distilled.jsonl").read_text().splitlines()]
    assert told["prompts"] == len(kept) == 12
    assert told["answers"] == 36
    assert told["accepted"] + told["rejected"] == 12
    assert told["accepted"] == sum(row["reward"] >= 1 for row in kept) > 0
    assert len(trainer.train_dataset) == told["accepted"]
    assert 0 <= trainer.evaluate()["eval_reward"] <= 1


def test_the_report_on_many_prompts_takes_a_moment(tmp_path: Path) -> None:
    args = distillation.configure("answers", output_dir=str(tmp_path), threshold=1.0, **SHARED)
    known = [
        {"prompt": f"q{number}", "completion": "a", "reward": number % 2, "good": number % 2}
        for number in range(20_000)
    ]
    began = time.process_time()
    told = distillation.report(known, args)["distillation"]
    assert time.process_time() - began < 1
    assert (told["accepted"], told["rejected"]) == (10_000, 10_000)
    assert [example["prompt"] for example in told["rejected_examples"]] == ["q0", "q2", "q4", "q6", "q8"]


def test_held_out_prompts_without_an_answer_are_measured_by_the_graders_alone(tmp_path: Path) -> None:
    """As a judge grades them; the best is kept by that reward."""
    model, tokenizer = load()
    bare = [{"prompt": row["messages"], "row": json.dumps({"prompt": row["messages"]})} for row in ROWS]
    saving = {"save_strategy": "steps", "save_steps": 1, "load_best_model_at_end": True}
    best = {"metric_for_best_model": "eval_reward", "greater_is_better": True}
    args = distillation.configure(
        "answers",
        output_dir=str(tmp_path),
        threshold=0.0,
        eval_strategy="steps",
        eval_steps=1,
        **SHARED | saving | best,
    )
    trainer = distillation.distil(
        model=model,
        teacher_model=load()[0],
        args=args,
        train_dataset=PROMPTS,
        eval_dataset=Dataset.from_list(bare[:4]),
        processing_class=tokenizer,
        reward_funcs=[braces],
    )
    trainer.train()
    measured = [entry for entry in trainer.state.log_history if "eval_reward" in entry]
    assert [entry["step"] for entry in measured] == [1, 2]
    assert not any("eval_loss" in entry for entry in trainer.state.log_history)
    assert trainer.state.best_metric == max(entry["eval_reward"] for entry in measured)


def test_what_the_teacher_said_before_a_stop_is_not_asked_again(tmp_path: Path) -> None:
    class Patient:
        """Asks to stop at the second batch."""

        looks = 0

        def leave_if_asked(self) -> None:
            self.looks += 1
            if self.looks == 2:
                raise SystemExit(75)

    teacher, tokenizer = load()
    rows = list(PROMPTS)
    many = distillation.configure("answers", output_dir=str(tmp_path / "a"), teacher_answers=16, **SHARED)
    assert isinstance(many, distillation.AnswersConfig)
    with pytest.raises(SystemExit):
        distillation.best_answers(teacher, tokenizer, rows, [braces], many, [Patient()])
    saved = (tmp_path / "a" / "distilled.jsonl").read_bytes()
    assert saved.count(b"\n") == 4
    (tmp_path / "a" / "distilled.jsonl").write_bytes(saved + b'{"prompt": [{"role"')  # killed while writing
    resumed, _ = distillation.best_answers(teacher, tokenizer, rows, [braces], many, [])
    whole = distillation.configure("answers", output_dir=str(tmp_path / "b"), teacher_answers=16, **SHARED)
    assert isinstance(whole, distillation.AnswersConfig)
    undisturbed, _ = distillation.best_answers(teacher, tokenizer, rows, [braces], whole, [])
    assert resumed == undisturbed


def test_on_policy_learns_from_the_teacher_and_measures_with_the_graders(tmp_path: Path) -> None:
    model, tokenizer = load()
    args = distillation.configure(
        "on_policy", output_dir=str(tmp_path), beta=0.5, teacher_answers=3, **SHARED | {"logging_steps": 1}
    )
    assert isinstance(args, distillation.OnPolicyConfig)
    trainer = distillation.distil(
        model=model,
        teacher_model=load()[0],
        args=args,
        train_dataset=PROMPTS,
        eval_dataset=PROMPTS.select(range(4)),
        processing_class=tokenizer,
        reward_funcs=[braces],
    )
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert losses[0] == pytest.approx(0, abs=1e-3)  # the teacher is the student here
    assert "eval_reward" in trainer.evaluate()


def test_no_answer_good_enough_is_said_in_words(tmp_path: Path) -> None:
    model, tokenizer = load()
    args = distillation.configure("answers", output_dir=str(tmp_path), threshold=2.0, **SHARED)
    with pytest.raises(ValueError, match="choose a better teacher"):
        distillation.distil(
            model=model,
            teacher_model=load()[0],
            args=args,
            train_dataset=PROMPTS.select(range(2)),
            processing_class=tokenizer,
            reward_funcs=[braces],
        )
