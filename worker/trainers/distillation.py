"""Distillation: a small model learns from a teacher, in one of two ways.

`answers`: the teacher answers every prompt several times, graders keep the best answer that is good enough,
and the student is fine-tuned on those (best-of-n; what was kept and what was not goes into `report`).
`on_policy`: the student answers, and learns the teacher's whole distribution over each token of its own
answers (generalised knowledge distillation, Agarwal et al., arXiv 2306.13649); both must share a tokenizer.

Either way the graders measure the student's own answers to the held-out prompts: `eval_reward`.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from trl import DistillationConfig, DistillationTrainer, SFTConfig, SFTTrainer

Row = dict[str, Any]
Reward = Callable[..., list[float | None]]


@dataclass
class AnswersConfig(SFTConfig):
    """SFTConfig, and how the teacher is asked."""

    teacher_answers: int = field(default=4, metadata={"help": "Answers of the teacher to each prompt."})
    threshold: float = field(default=1.0, metadata={"help": "Lowest reward an answer may have."})
    teacher_temperature: float = field(default=0.7, metadata={"help": "Sampling temperature of the teacher."})
    max_completion_length: int = field(default=256, metadata={"help": "Longest answer, in tokens."})
    reward_weights: list[float] | None = field(default=None, metadata={"help": "One weight a grader."})


@dataclass
class OnPolicyConfig(DistillationConfig):
    """DistillationConfig, and the weights of the graders that measure the student."""

    reward_weights: list[float] | None = field(default=None, metadata={"help": "One weight a grader."})


def configure(mode: str = "answers", **given: Any) -> AnswersConfig | OnPolicyConfig:
    """The configuration of one way; settings of the other are left out."""
    kind: type[Any] = AnswersConfig if mode == "answers" else OnPolicyConfig
    known = {each.name for each in fields(kind)}
    made: AnswersConfig | OnPolicyConfig = kind(
        **{name: value for name, value in given.items() if name in known}
    )
    return made


def distil(*, args: AnswersConfig | OnPolicyConfig, **given: Any) -> Any:
    """The trainer that its configuration asks for."""
    return (FromAnswers if isinstance(args, AnswersConfig) else OnPolicy)(args=args, **given)


class Measured:
    """What both trainers share: graders score the student's greedy answers to the held-out prompts."""

    _asked: Dataset | None = None
    _rewards: Sequence[Reward] = ()
    _weights: Sequence[float] = ()

    def measure_on(
        self, prompts: Dataset | None, rewards: Sequence[Reward], weights: Sequence[float] | None
    ) -> None:
        self._asked, self._rewards = prompts, rewards
        self._weights = weights or [1.0] * len(rewards)

    def evaluate(
        self, eval_dataset: Any = None, ignore_keys: list[str] | None = None, metric_key_prefix: str = "eval"
    ) -> dict[str, float]:
        """The student's mean reward, and each grader's mean, on greedy answers."""
        trainer: Any = self
        found: dict[str, float] = trainer.measure_loss(eval_dataset, ignore_keys, metric_key_prefix)
        if self._asked is None or not self._rewards:
            return found
        rows = list(self._asked)
        model = trainer.accelerator.unwrap_model(trainer.model)
        said = answers_of(
            model, trainer.processing_class, rows, most=trainer.args.max_completion_length, batch=32
        )
        parts = [score(reward, rows, said) for reward in self._rewards]
        told = {f"{metric_key_prefix}_reward": mean(summed(parts, self._weights))}
        for reward, scores in zip(self._rewards, parts, strict=True):
            told[f"{metric_key_prefix}_rewards/{reward.__name__}/mean"] = mean(scores)
        trainer.log(told)
        trainer.callback_handler.on_evaluate(trainer.args, trainer.state, trainer.control, found | told)
        return found | told


class FromAnswers(Measured, SFTTrainer):
    """Supervised fine-tuning on the teacher's best answers. They are generated once and kept beside the
    checkpoints (`distilled.jsonl`), so that a resumed run asks nothing again. `report` says how many prompts
    got an answer that was good enough."""

    def __init__(
        self,
        *,
        teacher_model: Any,
        args: AnswersConfig,
        train_dataset: Dataset,
        eval_dataset: Dataset | None = None,
        reward_funcs: Sequence[Reward] = (),
        processing_class: Any,
        callbacks: Sequence[Any] = (),
        **others: Any,
    ):
        rows, self.report = best_answers(
            teacher_model, processing_class, list(train_dataset), reward_funcs, args, callbacks
        )
        if not rows:
            raise ValueError(
                "No answer of the teacher reached the lowest reward. Lower it, ask for more answers to each "
                "prompt, or choose a better teacher."
            )
        wanted, when = references(eval_dataset), args.eval_strategy
        if wanted is None:  # the graders still measure; Trainer itself refuses to without rows of its own
            args.eval_strategy = "no"
        super().__init__(
            args=args,
            train_dataset=Dataset.from_list(
                [{"prompt": row["prompt"], "completion": row["completion"]} for row in rows]
            ),
            eval_dataset=wanted,
            processing_class=processing_class,
            callbacks=list(callbacks),
            **others,
        )
        args.eval_strategy = when
        self.measure_on(eval_dataset, reward_funcs, args.reward_weights)

    def measure_loss(self, eval_dataset: Any, ignore_keys: list[str] | None, prefix: str) -> dict[str, float]:
        """The loss on the held-out rows' reference answers; nothing where they have none."""
        if eval_dataset is None and self.eval_dataset is None:
            return {}
        found: dict[str, float] = SFTTrainer.evaluate(self, eval_dataset, ignore_keys, prefix)
        return found


class OnPolicy(Measured, DistillationTrainer):
    """TRL's on-policy distillation, measured by the run's graders."""

    def __init__(
        self,
        *,
        teacher_model: Any,
        args: OnPolicyConfig,
        train_dataset: Dataset,
        eval_dataset: Dataset | None = None,
        reward_funcs: Sequence[Reward] = (),
        callbacks: Sequence[Any] = (),
        **others: Any,
    ):
        super().__init__(
            teacher_model=teacher_model,
            args=args,
            train_dataset=train_dataset.select_columns(["prompt"]),
            eval_dataset=None if eval_dataset is None else eval_dataset.select_columns(["prompt"]),
            callbacks=list(callbacks),
            **others,
        )
        self.measure_on(eval_dataset, reward_funcs, args.reward_weights)

    def measure_loss(self, eval_dataset: Any, ignore_keys: list[str] | None, prefix: str) -> dict[str, float]:
        """How far the student is from the teacher on its own answers to the held-out prompts."""
        found: dict[str, float] = DistillationTrainer.evaluate(self, eval_dataset, ignore_keys, prefix)
        return found


# Asking the teacher


def best_answers(
    teacher: Any,
    tokenizer: Any,
    rows: list[Row],
    rewards: Sequence[Reward],
    args: AnswersConfig,
    callbacks: Sequence[Any],
) -> tuple[list[Row], dict[str, Any]]:
    """Each prompt with the teacher's best answer, where one is good enough; and the report on all of them."""
    kept_at = Path(args.output_dir) / "distilled.jsonl"
    known = _read(kept_at)
    teacher.to(args.device)
    weights = args.reward_weights or [1.0] * len(rewards)
    for some in _batches(rows[len(known) :], max(1, 64 // args.teacher_answers)):
        torch.manual_seed(args.seed + len(known))  # a resumed run hears what an undisturbed one hears
        for callback in callbacks:  # asked to stop: what was answered is kept
            getattr(callback, "leave_if_asked", lambda: None)()
        asked = [row for row in some for _ in range(args.teacher_answers)]
        said = answers_of(
            teacher,
            tokenizer,
            asked,
            most=args.max_completion_length,
            batch=64,
            do_sample=True,
            temperature=args.teacher_temperature,
        )
        totals = summed([score(reward, asked, said) for reward in rewards], weights)
        found = [_best(row, said, totals, at, args) for at, row in enumerate(some)]
        _append(kept_at, found)
        known += found
    return [row for row in known if _good_enough(row, args)], report(known, args)


def _good_enough(row: Row, args: AnswersConfig) -> bool:
    return row["reward"] is not None and bool(row["reward"] >= args.threshold)


def report(known: list[Row], args: AnswersConfig) -> dict[str, Any]:
    """What was kept and what was not; rewards are None where no grader had anything to say."""
    scored = [row["reward"] for row in known if row["reward"] is not None]
    refused = [row for row in known if not _good_enough(row, args)]
    return {
        "distillation": {
            "prompts": len(known),
            "answers": len(known) * args.teacher_answers,
            "accepted": len(known) - len(refused),
            "rejected": len(refused),
            "lowest_reward": args.threshold,
            "mean_best_reward": sum(scored) / len(scored) if scored else None,
            "answers_good_enough": sum(row["good"] for row in known),
            "rejected_examples": [
                {
                    "prompt": _words(row["prompt"]),
                    "answer": _words(row["completion"]),
                    "reward": row["reward"],
                }
                for row in refused[:5]
            ],
        }
    }


def _best(row: Row, said: list[str], totals: list[float | None], at: int, args: AnswersConfig) -> Row:
    n = args.teacher_answers
    mine = range(at * n, at * n + n)
    best = max(mine, key=lambda place: float("-inf") if totals[place] is None else totals[place])  # type: ignore[arg-type,return-value]
    good = sum(1 for place in mine if (value := totals[place]) is not None and value >= args.threshold)
    answer: Any = said[best]
    if not isinstance(row["prompt"], str):
        answer = [{"role": "assistant", "content": answer}]
    return {"prompt": row["prompt"], "completion": answer, "reward": totals[best], "good": good}


@torch.no_grad()
def answers_of(
    model: Any, tokenizer: Any, rows: Sequence[Row], *, most: int, batch: int, **how: Any
) -> list[str]:
    """The model's answers to the rows' prompts, in order: greedy unless `how` says otherwise."""
    was_training, side = model.training, tokenizer.padding_side
    model.eval()
    tokenizer.padding_side = "left"
    found: list[str] = []
    for some in _batches(rows, batch):
        texts = [
            row["prompt"]
            if isinstance(row["prompt"], str)
            else tokenizer.apply_chat_template(row["prompt"], tokenize=False, add_generation_prompt=True)
            for row in some
        ]
        inputs = tokenizer(
            texts,
            return_tensors="pt",
            padding=True,
            add_special_tokens=isinstance(some[0]["prompt"], str),  # a chat template writes its own
            return_token_type_ids=False,
        ).to(model.device)
        made = model.generate(
            **inputs, max_new_tokens=most, pad_token_id=tokenizer.pad_token_id, **({"do_sample": False} | how)
        )
        found += tokenizer.batch_decode(made[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    tokenizer.padding_side = side
    model.train(was_training)
    return found


def score(reward: Reward, rows: Sequence[Row], said: Sequence[str]) -> list[float | None]:
    """One grader's scores of the answers."""
    prompts = [row["prompt"] for row in rows]
    completions = [
        answer if isinstance(prompt, str) else [{"role": "assistant", "content": answer}]
        for prompt, answer in zip(prompts, said, strict=True)
    ]
    columns = {name: [row.get(name) for row in rows] for name in rows[0] if name != "prompt"} if rows else {}
    return list(reward(prompts=prompts, completions=completions, **columns))


def summed(parts: Sequence[Sequence[float | None]], weights: Sequence[float]) -> list[float | None]:
    """Σ weight × score for each answer; None where no grader had anything to say."""
    found: list[float | None] = []
    for scores in zip(*parts, strict=True):
        told = [weight * each for weight, each in zip(weights, scores, strict=True) if each is not None]
        found.append(sum(told) if told else None)
    return found


def mean(scores: Sequence[float | None]) -> float:
    """The mean of those that were given; NaN where none was."""
    told = [each for each in scores if each is not None]
    return sum(told) / len(told) if told else float("nan")


def references(prompts: Dataset | None) -> Dataset | None:
    """Prompts with their reference answers, to measure the loss on; None where there are none."""
    if prompts is None or "row" not in prompts.column_names:
        return None
    found = []
    for row in prompts:
        wanted = json.loads(row["row"]).get("reference_answer")
        if wanted not in (None, ""):
            text = wanted if isinstance(wanted, str) else json.dumps(wanted)
            answer = text if isinstance(row["prompt"], str) else [{"role": "assistant", "content": text}]
            found.append({"prompt": row["prompt"], "completion": answer})
    return Dataset.from_list(found) if found else None


def _batches(rows: Sequence[Row], size: int) -> Iterator[Sequence[Row]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _read(path: Path) -> list[Row]:
    if not path.exists():
        return []
    text = path.read_bytes()
    whole = text[
        : text.rfind(b"\n") + 1
    ]  # a line that was being written when the process died is asked again
    if len(whole) < len(text):
        path.write_bytes(whole)
    return [json.loads(line) for line in whole.splitlines()]


def _append(path: Path, rows: Sequence[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write("".join(json.dumps(row) + "\n" for row in rows))


def _words(messages: Any) -> str:
    return messages if isinstance(messages, str) else str(messages[-1].get("content", ""))
