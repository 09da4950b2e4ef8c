"""Puts an evaluation's questions to its contestants, one model after the other, and scores the answers, as
its folder's run.json says. What they mean is worked out by `studio.evaluations.results`.

Answers are made in a fixed order, so an attempt that goes on skips as many as are already kept."""

import gc
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from transformers import set_seed

from studio import prompting, rows
from studio.exits import Exit
from studio.prompting import Prompting
from worker import data, edge, generate, model, telemetry
from worker.data import Prompt
from worker.order import Order
from worker.rewards import Judges
from worker.train import set_threads

AT_ONCE = 32  # answers generated together

Task = tuple[int, int, Prompt]  # take (0 is greedy), number of the row, question


def carry_out(order: Order) -> int:
    """The whole of an evaluation; returns the exit code."""
    return edge.carry_out(order, _carry_out)


def _carry_out(order: Order, spool: telemetry.Spool, is_asked_to_stop: Callable[[], bool]) -> int:
    questions = _questions(order)
    each = len(questions) * (1 + order.parameters["samples"])
    total = each * len(order.models)
    spool.say("resume", step=order.done)
    spool.say("progress", step=order.done, total_steps=total, seconds_left=None)
    set_seed(order.seed + order.done)  # samples after an interruption are others, not the same again
    for contestant, known in enumerate(order.parameters["contestants"]):
        skipped = min(max(order.done - contestant * each, 0), each)
        if skipped == each:
            continue
        tasks = list(_tasks(order, questions, Prompting.model_validate(known["prompting"])))[skipped:]
        if not _answer(order, spool, contestant, tasks, contestant * each + skipped, total, is_asked_to_stop):
            return Exit.INTERRUPTED
    return Exit.DONE


def _questions(order: Order) -> list[tuple[int, Prompt]]:
    """(number of the row, question): all of them, or as many as asked for, spread evenly."""
    assert order.held_out is not None
    most = order.parameters["items"]
    places = rows.places(order.held_out.path, most)
    found = rows.read(order.held_out.path, most)
    shape = order.held_out.shape
    return [(place, data.prompt_of(row, shape)) for place, row in zip(places, found, strict=True)]


def _tasks(order: Order, questions: Sequence[tuple[int, Prompt]], how: Prompting) -> Iterator[Task]:
    """Every question once greedily, then all of them again for each sample."""
    put = [(number, _put(question, how)) for number, question in questions]
    for take in range(1 + order.parameters["samples"]):
        yield from ((take, number, question) for number, question in put)


def _put(question: Prompt, how: Prompting) -> Prompt:
    if how.is_plain:
        return question
    messages = question.messages or [{"role": "user", "content": question.text}]
    asked = prompting.apply(how, messages, question.row)
    # A model without a chat template reads the same as plain text.
    return replace(question, messages=asked, text="\n\n".join(str(each["content"]) for each in asked))


def _answer(
    order: Order,
    spool: telemetry.Spool,
    contestant: int,
    tasks: Sequence[Task],
    done: int,
    total: int,
    is_asked_to_stop: Callable[[], bool],
) -> bool:
    """One contestant's part; False where it was asked to stop. The model leaves memory before the next."""
    wanted = order.models[contestant]
    spool.say("activity", text=f"Loading {wanted.name}")
    loaded, tokenizer = model.load(wanted, trust_remote_code=order.trust_remote_code)
    set_threads(order, loaded)
    loaded.eval().to("cuda" if model.gpu_ready() else "cpu")
    judges = Judges(order, tokenizer)
    for take, some in itertools.groupby(tasks, key=lambda task: task[0]):
        for batch in _batches(list(some)):
            if is_asked_to_stop():
                return False
            began = time.perf_counter()
            prompts = [question for _, _, question in batch]
            answers = generate.answers(
                loaded,
                tokenizer,
                prompts,
                max_new_tokens=order.parameters["max_tokens"],
                batch_size=AT_ONCE,
                **(_sampling(order) if take else {}),
            )
            seconds = (time.perf_counter() - began) / len(batch)
            scored = judges.scores(list(zip(prompts, answers, strict=True)))
            for (_, number, _), answer, scores in zip(batch, answers, scored, strict=True):
                tokens = len(tokenizer(answer, add_special_tokens=False)["input_ids"])
                about = {"contestant": contestant, "number": number, "take": take, "answer": answer}
                spool.say("item", **about, scores=scores, seconds=seconds, tokens=tokens)
            done += len(batch)
            spool.say("progress", step=done, total_steps=total, seconds_left=None)
    del loaded, judges
    gc.collect()
    return True


def _sampling(order: Order) -> dict[str, Any]:
    return {
        "do_sample": True,
        "temperature": order.parameters["temperature"],
        "top_k": 0,
        "top_p": 1.0,
        "repetition_penalty": 1.0,
    }


def _batches(tasks: Sequence[Task]) -> Iterator[Sequence[Task]]:
    for start in range(0, len(tasks), AT_ONCE):
        yield tasks[start : start + AT_ONCE]
