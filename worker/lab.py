"""Answers a lab's prompts several times each and scores the answers, as its folder's run.json says. What they
mean is worked out by `studio.lab`."""

import signal
import time
import traceback
from collections import defaultdict

from transformers import set_seed

from studio.exits import Exit
from studio.graders.choice import weighted
from worker import data, failures, generate, model, telemetry
from worker.order import Order
from worker.rewards import Judges
from worker.train import set_threads

AT_ONCE = 64  # answers generated together


def carry_out(order: Order) -> int:
    """The whole of a lab; returns the exit code."""
    spool = telemetry.Spool(order.spool)
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: asked.append(number))
    try:
        return _carry_out(order, spool, asked)
    except Exception as problem:  # the process's edge: classified for the person, whole in the log
        traceback.print_exc()
        spool.say("error", data=failures.explain(problem))
        return Exit.FAILED


def _carry_out(order: Order, spool: telemetry.Spool, asked: list[int]) -> int:
    assert order.data is not None
    given = order.parameters
    count, each = given["prompts"], given["samples"]
    spool.say("resume", step=0)
    spool.say("activity", text="Loading the model")
    set_seed(order.seed)
    loaded, tokenizer = model.load(order.models[0], trust_remote_code=order.trust_remote_code)
    set_threads(order, loaded)
    loaded.eval().to("cuda" if model.gpu_ready() else "cpu")
    prompts = data.prompts(order.data, count)
    judges, seconds = Judges(order, tokenizer), defaultdict[str, float](float)
    spool.say("activity", text="Answering")
    group = max(1, AT_ONCE // each)
    for start in range(0, len(prompts), group):
        if asked:
            return Exit.INTERRUPTED
        some = [prompt for prompt in prompts[start : start + group] for _ in range(each)]
        began = time.perf_counter()
        answers = generate.answers(
            loaded,
            tokenizer,
            some,
            max_new_tokens=given["max_tokens"],
            batch_size=AT_ONCE,
            do_sample=True,
            temperature=given["temperature"],
            top_k=0,
        )
        seconds["answering"] += time.perf_counter() - began
        scored = judges.scores(list(zip(some, answers, strict=True)), seconds)
        said = zip(some, answers, scored, strict=True)
        for number, (prompt, answer, scores) in enumerate(said, start=start * each):
            reward = weighted([part.weight for part in order.graders], list(scores.values()))
            spool.say(
                "sample",
                step=0,
                number=number,
                prompt=prompt.text,
                answer=answer,
                reference=prompt.reference,
                scores={**scores, "reward": reward},
            )
        done = min(start + group, len(prompts))
        spool.say("progress", step=done, total_steps=len(prompts), seconds_left=None)
    calls = len(prompts) * each
    spool.say("report", data={"seconds_a_call": {name: spent / calls for name, spent in seconds.items()}})
    return Exit.DONE
