"""Trains one model as its folder's run.json says. Knows only that folder: no database, no broker.

    python -m worker.train RUN_FOLDER

Exit codes: 0 done, 75 saved and stopped because it was asked to (SIGTERM), 1 failed (the spool says why).
"""

import signal
import sys
import traceback
from collections.abc import Sized
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from transformers import set_seed

from studio import needs
from studio.errors import StudioError
from studio.exits import Exit
from studio.rows import BY_TURNS, LEARNED_BY_TURNS
from worker import data, failures, hardware, ingredients, masks, model, samples, telemetry
from worker.order import Order


@dataclass
class Taken:
    """What a training takes in: rows to learn from, rows held out (None without), a model, its tokenizer."""

    rows: Any
    held_out: Any
    base: Any
    tokenizer: Any


def carry_out(order: Order) -> int:
    """The whole of a training, from order to artifact; returns the exit code."""
    spool = telemetry.Spool(order.spool)
    watcher = telemetry.Telemetry(order, spool)
    signal.signal(signal.SIGTERM, watcher.stop_soon)
    try:
        return _train(order, spool, watcher)
    except Exception as problem:  # the process's edge: classified for the person, whole in the log
        traceback.print_exc()
        spool.say("error", data=failures.explain(problem))
        return Exit.FAILED


def _train(order: Order, spool: telemetry.Spool, watcher: telemetry.Telemetry) -> int:
    spool.say("versions", data=_versions())
    spool.say("activity", text="Reading the data")
    rows, held_out = _read(order)
    watcher.leave_if_asked()
    spool.say("activity", text="Loading the model")
    set_seed(order.seed)
    base, tokenizer = _load(order)
    set_threads(order, base)
    watcher.leave_if_asked()
    spool.say("activity", text="Preparing the rows")
    taken = Taken(rows, held_out, base, tokenizer)
    chosen = _choose(order, spool, taken)
    trainer = watcher.trainer = _make_trainer(order, spool, watcher, chosen, taken)
    _check_something_is_left(order, trainer)
    watcher.gauges.watch(trainer)
    sampler = samples.Sampler(order, spool, trainer, tokenizer)
    trainer.add_callback(sampler)
    if not _learn(order, spool, watcher, trainer, sampler):
        return Exit.INTERRUPTED
    sampler.take(step=trainer.state.global_step)
    spool.say("activity", text="Saving the model")
    trainer.save_model(str(order.result))
    tokenizer.save_pretrained(str(order.result))
    (order.result / "training_args.bin").unlink(missing_ok=True)  # a pickle; run.json says it all
    if report := getattr(trainer, "report", None):
        spool.say("report", data=report)
    spool.say("artifact", folder=str(order.result.relative_to(order.data_folder)), makes=order.makes)
    return Exit.DONE


def _read(order: Order) -> tuple[Any, Any]:
    """The rows to learn from, and those that are held out, if any."""
    assert order.data is not None
    thinking = order.parameters.get("thinking", "learn") == "learn"
    rows = data.load(order.data, order.reads, thinking=thinking)
    if not order.held_out:
        return rows, None
    most = order.parameters["eval_rows"]
    return rows, data.load(order.held_out, order.reads, most=most, like=rows, thinking=thinking)


def _choose(order: Order, spool: telemetry.Spool, taken: Taken) -> list[hardware.Choice]:
    """What of this machine is used, said with its reasons; the rows become what that needs."""
    base = taken.base
    chosen = hardware.choose(order, base.config.to_dict(), takes_flash=hardware.takes_flash(base))
    hardware.settle(chosen, base)
    choices = hardware.as_json(chosen, ingredients.resolve(order.config))
    if reason := masks.why_by_turns(order, taken.rows, taken.tokenizer):
        taken.rows = data.by_turns(taken.rows)
        taken.held_out = taken.held_out and data.by_turns(taken.held_out)
        order.arguments |= LEARNED_BY_TURNS
        choices.append({"name": BY_TURNS, "value": "on", "reason": reason})
    spool.say("choices", data=choices)
    _note_libraries(order, {each["name"] for each in choices if each["value"] == "on"})
    return chosen


def _make_trainer(
    order: Order,
    spool: telemetry.Spool,
    watcher: telemetry.Telemetry,
    chosen: list[hardware.Choice],
    taken: Taken,
) -> Any:
    """The technique's own trainer, watched, and overheard where its answers are scored."""
    extras = ingredients.extras(order, taken.tokenizer, taken.base)
    overheard = samples.Overheard(order, spool)
    if "reward_funcs" in extras and order.parameters["sample_prompts"]:
        extras["reward_funcs"] = overheard.listen(extras["reward_funcs"])
    return ingredients.resolve(order.trainer)(
        model=taken.base,
        args=ingredients.arguments(order, chosen),
        train_dataset=taken.rows,
        eval_dataset=taken.held_out,
        processing_class=taken.tokenizer,
        callbacks=[watcher, overheard, *ingredients.callbacks(order)],
        **extras,
    )


def _check_something_is_left(order: Order, trainer: Any) -> None:
    """Trainers leave out rows of which nothing is learned. Raises StudioError where that are all of them."""
    for name, title in (("train_dataset", order.data), ("eval_dataset", order.held_out)):
        rows = getattr(trainer, name, None)
        if title is None or not isinstance(rows, Sized) or len(rows):
            continue
        longest = order.parameters.get("max_length")
        if longest is None:
            raise StudioError(f"Nothing of “{title.title}” is left to learn from.", hint="Look at its rows.")
        raise StudioError(
            f"Nothing of “{title.title}” is left to learn from: with a longest row of {longest} tokens, "
            "every row ends before its answer begins.",
            hint="Clone it with a longer “Longest row” (max_length), longer than the longest prompt and its "
            "answer; the dataset's page shows how long they are.",
            field="max_length",
        )


def _learn(
    order: Order,
    spool: telemetry.Spool,
    watcher: telemetry.Telemetry,
    trainer: Any,
    sampler: samples.Sampler,
) -> bool:
    """Trains from the newest checkpoint on; False when it was asked to stop before the end. Raises Diverged
    where the weights are no longer numbers."""
    checkpoint = telemetry.newest_checkpoint(order.checkpoints)
    spool.say("resume", step=checkpoint[1]["step"] if checkpoint else 0)
    if checkpoint:
        watcher.remember(checkpoint[1])
        trainer.args.eval_on_start = False
    else:
        sampler.take(step=0)
    watcher.leave_if_asked()
    spool.say("activity", text="Training")
    trainer.train(resume_from_checkpoint=str(checkpoint[0]) if checkpoint else None)
    if watcher.asked_to_stop and trainer.state.global_step < trainer.state.max_steps:
        return False
    if not all(torch.isfinite(weight).all() for weight in _first_trained(trainer.model)):
        raise failures.Diverged("The weights are no longer numbers: the training diverged.")
    return True


def _load(order: Order) -> tuple[Any, Any]:
    """The model to start from, and its tokenizer. Where it will be read again, an adapter on a base is
    written as whole weights first."""
    how: dict[str, Any] = {
        "kind": order.makes,
        "trust_remote_code": order.trust_remote_code,
        "bf16": hardware.uses_bf16(order),
    }
    start = order.models[0]
    if order.starts_whole:
        start = model.whole(start, order.folder / "start", **how)
    return model.load(start, **how, **ingredients.loading(order))


def _first_trained(trained: Any) -> list[Any]:
    """The first weights that training moved; none where it moved none of the model's own."""
    return [weight for weight in trained.parameters() if weight.requires_grad][:1]


def set_threads(order: Order, loaded: Any) -> None:
    """On a CPU, more threads than a small model needs spin against each other (3 to 5 times slower)."""
    if order.threads:
        torch.set_num_threads(order.threads)
    elif loaded.num_parameters() < needs.ONE_THREAD_BELOW:
        torch.set_num_threads(1)


def _note_libraries(order: Order, on: set[str]) -> None:
    """Writes down the exact versions of everything that a script of this run needs."""
    asked = [part.grader for part in order.graders]
    made_of = needs.made_of(order.trainer, order.config, asked, order.parameters.get("environment", ""))
    text = needs.lock(needs.own_files(made_of), {order.adapter, *on})
    (order.folder / needs.LOCK).write_text(text, encoding="utf-8")


def _versions() -> dict[str, str]:
    names = ("tunesmith", "torch", "transformers", "trl", "peft", "datasets")
    return {name: version(name) for name in names} | {"python": sys.version.split()[0]}


if __name__ == "__main__":
    raise SystemExit(carry_out(Order.read(Path(sys.argv[1]).resolve())))
