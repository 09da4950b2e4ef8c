"""Lets a model answer the sample prompts before, during and after training, so that a person sees what
changed; and tells some of the answers that a trainer makes by itself while it learns from them. Where answers
are graded, every grader's score goes with them."""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from studio.graders import Score
from studio.graders.choice import weighted
from studio.rows import last_words, reference_of
from studio.techniques.base import OVERHEARD
from worker import data, generate, telemetry
from worker.order import Order
from worker.rewards import Judges, Reward

ASKING = {"language"}  # kinds of model that answer
MOMENTS = 20  # in which answers of a training are told, at most
BETWEEN = 4  # times that sample prompts are answered during training where no steps were asked for
ENDS = 2  # best answers of a moment, and as many of the worst


class Sampler(TrainerCallback):
    """Answers the run's sample prompts greedily and tells the spool."""

    def __init__(self, order: Order, spool: telemetry.Spool, trainer: Any, tokenizer: Any):
        self._order, self._spool, self._trainer, self._tokenizer = order, spool, trainer, tokenizer
        source = order.held_out or order.data
        count = order.parameters["sample_prompts"] if order.makes in ASKING else 0
        self._prompts = data.prompts(source, count) if source and count else []
        self._judges = Judges(order, tokenizer) if self._prompts else None

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        every = steps_between(self._order.parameters["sample_steps"], state.max_steps)
        if every and state.global_step % every == 0 and state.global_step < state.max_steps:
            self.take(step=state.global_step)

    def take(self, *, step: int) -> None:
        """Answers all prompts with the weights as they are."""
        if not self._prompts or self._judges is None:
            return
        self._spool.say("activity", text="Answering the sample prompts")
        unwrapped = self._trainer.accelerator.unwrap_model(self._trainer.model)
        most = self._order.parameters["sample_tokens"]
        answers = generate.answers(unwrapped, self._tokenizer, self._prompts, max_new_tokens=most)
        scored = self._judges.scores(list(zip(self._prompts, answers, strict=True)))
        for number, (prompt, answer, scores) in enumerate(zip(self._prompts, answers, scored, strict=True)):
            self._spool.say(
                "sample",
                step=step,
                number=number,
                prompt=prompt.text,
                answer=answer,
                reference=prompt.reference,
                scores=scores,
            )


def steps_between(asked: int, total: int) -> int:
    """How many steps lie between samples; 0 where there are none between the first and the last."""
    return asked if asked >= 0 else math.ceil(total / (BETWEEN + 1))


@dataclass
class Batch:
    """Answers that were graded together, and each grader's scores of them."""

    prompts: Sequence[Any]
    completions: Sequence[Any]
    rows: Sequence[str]
    scores: dict[str, list[Score]] = field(default_factory=dict)

    def ranked(self, weights: Sequence[float]) -> list[dict[str, Any]]:
        """The answers that have a reward as samples, the best first, each once."""
        found = {}
        scored = zip(*self.scores.values(), strict=True)
        for prompt, completion, row, parts in zip(
            self.prompts, self.completions, self.rows, scored, strict=True
        ):
            about, reward = shown(prompt, completion, row), weighted(weights, parts)
            if reward is not None:
                scores = {**dict(zip(self.scores, parts, strict=True)), "reward": reward}
                found[about["prompt"], about["answer"]] = {**about, "scores": scores}
        return sorted(found.values(), key=lambda sample: -sample["scores"]["reward"])


class Overheard(TrainerCallback):
    """Listens to the graders of a trainer that makes its answers itself, and now and then tells the spool the
    best and the worst of those it learned from last. Asks and generates nothing."""

    def __init__(self, order: Order, spool: telemetry.Spool):
        self._spool = spool
        self._weights = [part.weight for part in order.graders]
        self._newest: Batch | None = None

    def listen(self, functions: Sequence[Reward]) -> list[Reward]:
        """The same reward functions, overheard."""
        return [self._overheard(function) for function in functions]

    def _overheard(self, function: Reward) -> Reward:
        @functools.wraps(function)
        def reward(**given: Any) -> list[Score]:
            scores = function(**given)
            if "trainer_state" in given:  # so TRL asks about answers of its own, and nobody else does
                self._keep(function.__name__, scores, **given)
            return scores

        return reward

    def _keep(
        self, name: str, scores: list[Score], *, prompts: Any, completions: Any, row: Sequence[str], **_: Any
    ) -> None:
        if self._newest is None or self._newest.completions is not completions:
            self._newest = Batch(prompts, completions, row)
        self._newest.scores[name] = scores

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        every = math.ceil(state.max_steps / MOMENTS)
        if self._newest is None or (state.global_step > 1 and state.global_step % every):
            return
        ranked = self._newest.ranked(self._weights)
        for number, sample in enumerate(ranked[:ENDS] + ranked[ENDS:][-ENDS:]):
            self._spool.say("sample", step=state.global_step, number=OVERHEARD + number, **sample)
        self._newest = None

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """What was graded last is held-out: it is not learned from."""
        self._newest = None


def shown(prompt: Any, completion: Any, row: str) -> dict[str, str]:
    """A question, its answer and what was wanted, as people read them. `row` is JSON."""
    return {
        "prompt": last_words(prompt),
        "answer": written(completion),
        "reference": reference_of(orjson.loads(row)),
    }


def written(completion: Any) -> str:
    """The text of an answer; where tools were called, the whole conversation, line by line."""
    if isinstance(completion, str):
        return completion
    return "\n".join(filter(None, (_line(message) for message in completion)))


def _line(message: dict[str, Any]) -> str:
    said = last_words([message]) if message.get("content") else ""
    if message.get("role") == "tool":
        return f"→ {said}"
    if thought := message.get("reasoning_content") or message.get("thinking"):
        said = f"<think>\n{thought}\n</think>\n\n{said}"
    calls = [call.get("function") or call for call in message.get("tool_calls") or ()]
    called = [f"{call.get('name')}({orjson.dumps(call.get('arguments')).decode()})" for call in calls]
    return "\n".join(filter(None, [said, *called]))
