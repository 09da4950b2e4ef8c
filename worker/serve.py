"""Answers chat questions with some models, until nobody has asked for a while.

Questions come as lines in the folder's inbox; answers go to the spool as they grow. Like a trainer it knows
only its folder.
"""

import signal
import threading
import time
import traceback
from typing import Any

import orjson
import torch
from transformers import TextIteratorStreamer

from studio.errors import StudioError
from studio.exits import Exit
from worker import data, failures, generate, model, telemetry
from worker.order import ModelOrder, Order

IDLE = 600.0  # seconds without a question until the models leave memory
MOST_LOADED = 4
TELL_EVERY = 0.15
LOOK_EVERY = 0.05


def carry_out(order: Order) -> int:
    """Serves until nobody has asked for a while, or until asked to stop."""
    spool = telemetry.Spool(order.spool)
    leaving = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: leaving.set())
    try:
        return _serve(order, spool, leaving)
    except Exception as problem:  # the process's edge
        traceback.print_exc()
        spool.say("error", data=failures.explain(problem))
        return Exit.FAILED


def _serve(order: Order, spool: telemetry.Spool, leaving: threading.Event) -> int:
    shelf = Shelf(order, spool)
    position, asked = 0, time.monotonic()
    torch.set_num_threads(order.threads or 1)
    spool.say("activity", text="Ready for questions")
    while not leaving.is_set():
        questions, position = _questions(order, position)
        for question in questions:
            asked = time.monotonic()
            try:
                _answer(spool, question, *shelf.take(ModelOrder.model_validate(question["model"])))
            except StudioError as refusal:  # this model cannot answer; others can
                spool.say(
                    "answer", id=question["id"], text=str(refusal), state="failed", seconds=None, tokens=None
                )
        if time.monotonic() - asked > IDLE:
            return Exit.DONE
        leaving.wait(LOOK_EVERY)
    return Exit.DONE  # nothing to resume: the next question starts another


class Shelf:
    """The models in memory; the one that was not asked for longest makes room."""

    def __init__(self, order: Order, spool: telemetry.Spool):
        self._order, self._spool = order, spool
        self._loaded: dict[int, tuple[Any, Any]] = {}

    def take(self, wanted: ModelOrder) -> tuple[Any, Any]:
        """The model and its tokenizer."""
        if wanted.id not in self._loaded:
            self._spool.say("activity", text=f"Loading {wanted.name}")
            while len(self._loaded) >= MOST_LOADED:
                del self._loaded[next(iter(self._loaded))]
            found, tokenizer = model.load(wanted, trust_remote_code=self._order.trust_remote_code)
            self._loaded[wanted.id] = found.eval().to("cuda" if model.gpu_ready() else "cpu"), tokenizer
            self._spool.say("activity", text="Ready for questions")
        self._loaded[wanted.id] = self._loaded.pop(wanted.id)  # newest last
        return self._loaded[wanted.id]


def _questions(order: Order, position: int) -> tuple[list[dict[str, Any]], int]:
    if not order.inbox.exists():
        return [], position
    with order.inbox.open("rb") as file:
        file.seek(position)
        text = file.read()
    end = text.rfind(b"\n") + 1
    return [orjson.loads(line) for line in text[:end].splitlines()], position + end


def _answer(spool: telemetry.Spool, question: dict[str, Any], loaded: Any, tokenizer: Any) -> None:
    """Generates in a thread and tells what there is every moment."""
    options = question["options"]
    temperature = float(options.get("temperature", 0))
    prompt = data.Prompt(question["messages"], question["messages"][-1]["content"], "")
    inputs = generate.inputs_of(tokenizer, [prompt])
    streamer = TextIteratorStreamer(tokenizer, skip_prompt=True, skip_special_tokens=True)
    began, told, words, count = time.monotonic(), 0.0, "", 0
    work = threading.Thread(
        target=loaded.generate,
        kwargs={
            **inputs.to(loaded.device),
            "max_new_tokens": int(options.get("max_new_tokens", 256)),
            "pad_token_id": tokenizer.pad_token_id,
            "streamer": streamer,
            **({"do_sample": True, "temperature": temperature} if temperature > 0 else {"do_sample": False}),
        },
    )
    work.start()

    def tell(state: str) -> None:
        seconds = round(time.monotonic() - began, 2)
        spool.say("answer", id=question["id"], text=words, state=state, seconds=seconds, tokens=count)

    for piece in streamer:
        words, count = words + piece, count + 1
        if time.monotonic() - told > TELL_EVERY:
            told = time.monotonic()
            tell("sent")
    work.join()
    tell("done")
