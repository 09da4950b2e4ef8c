"""Answers a lab's prompts several times each and scores the answers, as its folder's run.json says. What they
mean is worked out by `studio.lab`."""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from transformers import set_seed

from studio import rows
from studio.errors import StudioError
from studio.exits import Exit
from studio.graders import Score
from studio.graders.choice import weighted
from studio.rows import Row
from worker import edge, model, rewards, samples, telemetry
from worker.actor import Acted, Actor
from worker.order import Order
from worker.rewards import Reward
from worker.train import set_threads

AT_ONCE = 64  # answers generated together


def carry_out(order: Order) -> int:
    """The whole of a lab; returns the exit code."""
    return edge.carry_out(order, _carry_out)


def _carry_out(order: Order, spool: telemetry.Spool, is_asked_to_stop: Callable[[], bool]) -> int:
    assert order.data is not None
    given = order.parameters
    spool.say("resume", step=0)
    spool.say("activity", text="Loading the model")
    set_seed(order.seed)
    loaded, tokenizer = model.load(order.models[0], trust_remote_code=order.trust_remote_code)
    set_threads(order, loaded)
    prompts = list(rows.converted(order.data.path, order.data.shape, order.reads, most=given["prompts"]))
    if not prompts:
        raise StudioError(
            f"No row of “{order.data.title}” asks anything.",
            hint="Choose rows with prompts, or conversations with answers.",
            field="dataset",
        )
    actor = Actor(order, loaded, tokenizer, prompts)
    functions = rewards.functions(order.graders, tokenizer, loaded)
    seconds, each = defaultdict[str, float](float), given["samples"]
    spool.say("activity", text="Answering")
    group = max(1, AT_ONCE // each)
    for start in range(0, len(prompts), group):
        if is_asked_to_stop():
            return Exit.INTERRUPTED
        some = [row for row in prompts[start : start + group] for _ in range(each)]
        began = time.perf_counter()
        answers = actor.answer(some)
        seconds["answering"] += time.perf_counter() - began
        said = zip(some, answers, score(functions, some, answers, seconds), strict=True)
        for number, (row, answer, scores) in enumerate(said, start=start * each):
            reward = weighted([part.weight for part in order.graders], list(scores.values()))
            about = samples.shown(row["prompt"], answer.completion, row["row"])
            spool.say("sample", step=0, number=number, scores={**scores, "reward": reward}, **about)
        done = min(start + group, len(prompts))
        spool.say("progress", step=done, total_steps=len(prompts), seconds_left=None)
    calls = len(prompts) * each
    spool.say("report", data={"seconds_a_call": {name: spent / calls for name, spent in seconds.items()}})
    return Exit.DONE


def score(
    functions: Sequence[Reward], asked: Sequence[Row], answers: Sequence[Acted], seconds: dict[str, float]
) -> list[dict[str, Score]]:
    """For each answer every grader's score by its name, asked as a trainer asks. `seconds` is told what each
    grader took."""
    given: dict[str, list[Any]] = {
        "prompts": [row["prompt"] for row in asked],
        "row": [row["row"] for row in asked],
        "completions": [answer.completion for answer in answers],
        "completion_ids": [answer.tokens for answer in answers],
    }
    parts: dict[str, list[Score]] = {}
    for reward in functions:
        began = time.perf_counter()
        parts[reward.__name__] = reward(**given)
        seconds[reward.__name__] += time.perf_counter() - began
    return [dict(zip(parts, scores, strict=True)) for scores in zip(*parts.values(), strict=True)]
