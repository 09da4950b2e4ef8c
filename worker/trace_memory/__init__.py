"""Traces the memory of a training step: the run's own trainer works on tensors that have sizes and no
content.

    python -m worker.trace_memory RUN_FOLDER [--device cuda | cpu] [--prompt TOKENS]
    python -m worker.trace_memory < ASKED.json

The second reads an `Asked` (`studio.estimate.trace`). Prints one JSON object: the trace or, with exit code
2, why there is none. The trainer is built as for the run, with two layers of the model and then with three;
what a layer adds is added for the rest. That takes seconds and next to no memory for models of any size,
where the closed form (`studio.estimate`) takes none; it goes by the actual trainer, loss and architecture,
where that goes by families. Answers are not generated: for that moment the closed form counts. Nothing is
loaded but the model's config.json and tokenizer.

The tensors are PyTorch's fake ones (torch._subclasses.FakeTensorMode). They stand on the CPU even for a GPU,
where the fused head's kernels are taken to need no memory beyond their tile. Models that only graders ask are
not in it, and are counted by the closed form.
"""

import argparse
import contextlib
import gc
import json
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from transformers import AutoConfig

from studio import adapters, estimate, settings, techniques
from studio.errors import StudioError
from studio.estimate import Device
from studio.estimate.demand import NF4, Demand, demand
from studio.estimate.trace import Asked, Trace, is_traced
from studio.estimate.training import MOMENTS, moments, peak
from worker import dispatch
from worker import model as models
from worker.order import DataOrder, ModelOrder, Order
from worker.trace_memory.live import Concrete, Live, Windows
from worker.trace_memory.stand_in import StandIn

LAYERS = (2, 3)


def trace(
    order: Order,
    device: Device,
    *,
    weights: int = 0,
    longest: int = 0,
    prompt: int = 0,
    others: Mapping[str, Mapping[str, Any]] | None = None,
) -> Trace:
    """The memory of one training step of `order` on `device`. Weights, longest row and prompt, and other
    models are what `studio.estimate.for_run` takes.

    Raises StudioError for techniques whose trainer makes no step of its own."""
    started = time.perf_counter()
    technique = techniques.get(order.technique)
    if not is_traced(technique):
        raise StudioError(
            f"{technique.title} is not traced.", hint="The estimate by formula is all there is."
        )
    config = AutoConfig.from_pretrained(_source(order), trust_remote_code=order.trust_remote_code)
    found = estimate.for_run(
        technique,
        order.adapter or "full",
        config.to_dict(),
        order.parameters,
        device,
        adapter_settings=order.adapter_parameters,
        weights=weights,
        longest=longest,
        prompt=prompt,
        others=others,
    )
    wanted = demand(found.request)
    steps = [_step(order, config, layers, wanted, others or {}) for layers in LAYERS]
    whole = _whole(steps, wanted, of_graders=set(others or {}) - {each.name for each in technique.inputs})
    heaviest = max(whole, key=lambda name: whole[name])
    framework = device.framework()[0]
    slack = round(wanted.device.slack(wanted.setup, peak(wanted.setup))[0])
    return Trace(
        total=whole[heaviest] + framework + slack,
        closed_form=found.total,
        moment=MOMENTS[heaviest],
        moments=whole,
        framework=framework,
        slack=slack,
        seconds=round(time.perf_counter() - started, 1),
        notes=list(found.notes),
    )


def _source(order: Order) -> str:
    start = order.models[0]
    while start.base:
        start = start.base
    return start.source


def order_of(asked: Asked) -> Order:
    """An order for a run that is not there: without rows, and without a folder of its own."""
    technique, nowhere = techniques.get(asked.technique), Path()
    order = Order(
        run_id=0,
        attempt=0,
        kind="train",
        folder=nowhere,
        spool=nowhere,
        log=nowhere,
        models=[ModelOrder(id=0, name="", source=asked.source)],
        data=DataOrder(path=nowhere, shape=asked.shape, title=""),
        parameters=asked.settings,
        adapter_parameters=asked.adapter_settings,
        trust_remote_code=settings.get().trust_remote_code,
    )
    dispatch.fill(order, technique, adapters.get(asked.adapter))
    wanted = [each.name for each in technique.inputs if each.kind == "model"]
    order.input_models = {
        name: ModelOrder(id=0, name="", source="") for name in wanted if name in asked.others
    }
    return order


def _whole(steps: list[dict[str, int]], wanted: Demand, of_graders: set[str]) -> dict[str, int]:
    """Each moment of the whole model: a straight line through what it took with few layers, and the models
    that graders ask."""
    few, more = steps
    layers = wanted.setup.forward.model.layers
    asked = [each for each in wanted.setup.copies if each.name in of_graders]
    beside = sum(round(each.weights * each.bytes_each) for each in asked)
    found = {name: few[name] + (layers - LAYERS[0]) * (more[name] - few[name]) + beside for name in few}
    if wanted.setup.generation:
        found["generation"] = round(moments(wanted.setup)[-1].total)
    return found


def _step(
    order: Order, config: Any, layers: int, wanted: Demand, others: Mapping[str, Mapping[str, Any]]
) -> dict[str, int]:
    """Bytes at each moment of a second step, when the optimiser has its states."""
    stand_in = StandIn(order, _with_layers(config, layers), wanted, others)
    live = Live()
    with tempfile.TemporaryDirectory() as folder, stand_in.faked() as fake:
        trainer = stand_in.trainer(Path(folder), _source(order))
        stand_in.feed(trainer, fake)
        live.hold(trainer)
        windows = Windows(trainer.model, getattr(trainer, "critic", None), live)
        trainer.add_callback(windows)
        with live, Concrete(truth=not wanted.setup.forward.masked):
            trainer.train()
    live.forget()
    del trainer
    gc.collect()  # while no mode is on: the trainer is in circles, and its tensors must not end under another
    saved = _saved_by_quantising(order, wanted, layers)
    return {name: most - saved for name, most in windows.most.items()}


def _with_layers(config: Any, layers: int) -> Any:
    small = type(config).from_dict(config.to_dict())
    text = small.get_text_config()
    if getattr(text, "layer_types", None):
        text.layer_types = list(text.layer_types)[:layers]
    text.num_hidden_layers = layers
    text._attn_implementation = "sdpa"
    return small


def _saved_by_quantising(order: Order, wanted: Demand, layers: int) -> int:
    """Four-bit weights stood in the trace in the arithmetic's precision."""
    if adapters.get(order.adapter or "full").bits != 4:
        return 0
    forward = wanted.setup.forward
    return round(forward.model.layer_weights() / forward.model.layers * layers * (forward.width - NF4))


def main(arguments: list[str]) -> int:
    """The command line: prints a trace as JSON, or a refusal."""
    parser = argparse.ArgumentParser(description="Trace the memory of a run's training step.")
    parser.add_argument("folder", type=Path, nargs="?", help="the run's folder, which holds run.json")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda" if models.gpu_ready() else "cpu")
    parser.add_argument("--prompt", type=int, default=0, help="tokens of the longest prompt, if known")
    given = parser.parse_args(arguments)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            if given.folder:
                order = Order.read(given.folder.resolve())
                found = trace(order, Device(given.device), prompt=given.prompt)
            else:
                found = _answer(TypeAdapter(Asked).validate_json(sys.stdin.buffer.read()))
    except StudioError as refusal:
        print(json.dumps(refusal.as_dict()))
        return 2
    print(json.dumps(asdict(found)))
    return 0


def _answer(asked: Asked) -> Trace:
    return trace(
        order_of(asked),
        asked.device,
        weights=asked.weights,
        longest=asked.longest,
        prompt=asked.prompt,
        others=asked.others,
    )
