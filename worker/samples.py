"""Lets a model answer the sample prompts before, during and after training, so that a person sees what
changed. Where the answers are graded, every grader's score goes with them."""

from typing import Any

import orjson
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from studio.rows import last_words, reference_of
from worker import data, generate, telemetry
from worker.order import Order
from worker.rewards import Judges

ASKING = {"language"}  # kinds of model that answer


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
        every = self._order.parameters["sample_steps"]
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
