"""Tracing memory, and the closed form against what PyTorch really keeps."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, LlamaConfig, Qwen3Config

from studio import adapters, techniques
from studio.errors import StudioError
from studio.estimate import Device
from studio.estimate.activations import LoRA, Pass, Precision
from studio.estimate.architecture import read
from studio.estimate.trace import Asked
from worker import dispatch, trace_memory
from worker.order import DataOrder, GraderOrder, ModelOrder, Order
from worker.trace_memory.live import Live, place

ROOT = Path(__file__).parents[2]
STARTER = ROOT / "examples" / "starter-model"
ALL = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
ROWS, LENGTH = 3, 64


@pytest.fixture
def order(tmp_path: Path) -> Callable[..., Order]:
    """An order for the starter model, as a run's folder holds it. No rows are read."""

    def make(technique: str, adapter: str = "full", **settings: Any) -> Order:
        kind, way = techniques.get(technique), adapters.get(adapter)
        run = tmp_path / "runs" / "1"
        made = Order(
            run_id=1,
            attempt=1,
            kind="train",
            folder=run,
            spool=run / "attempts" / "1" / "spool.jsonl",
            log=run / "attempts" / "1" / "trainer.log",
            models=[ModelOrder(id=1, name="starter", source=str(STARTER))],
            data=DataOrder(path=run / "rows.jsonl", shape=kind.shapes[0], title="none"),
            parameters=kind.parameters(**settings).model_dump(),
            adapter_parameters=way.parameters().model_dump(),
            graders=[GraderOrder(name="e", grader="exact_match")] if kind.graded else [],
        )
        dispatch.fill(made, kind, way)
        made.write()
        return made

    return make


# The closed form


@pytest.mark.parametrize("lora", [False, True], ids=["full", "lora"])
@pytest.mark.parametrize("masked", [False, True], ids=["plain", "padded"])
@pytest.mark.parametrize(
    ("family", "precision"),
    [(Qwen3Config, "float32"), (LlamaConfig, "bfloat16"), (Qwen3Config, "mixed")],
)
def test_a_layer_keeps_what_the_closed_form_says(
    family: Any, precision: Precision, masked: bool, lora: bool
) -> None:
    """To the byte, but for the norms' one number a token, and for autocast's copies of weights."""
    sizes = [_saved(family, layers, precision, masked, lora) for layers in (1, 2)]
    forward = Pass(
        read(_config(family, 1).to_dict()), ROWS, LENGTH, precision, LoRA(8, ALL) if lora else None, masked
    )
    assert sizes[1] - sizes[0] == pytest.approx(forward.layer(), rel=0.006)


def _config(family: Any, layers: int) -> Any:
    return family(
        hidden_size=256,
        intermediate_size=704,
        num_hidden_layers=layers,
        num_attention_heads=8,
        num_key_value_heads=2,
        head_dim=32,
        vocab_size=1000,
        tie_word_embeddings=True,
    )


def _saved(family: Any, layers: int, precision: Precision, masked: bool, lora: bool) -> int:
    """Bytes that autograd keeps after a forward pass, without weights and copies of them."""
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    model = AutoModelForCausalLM.from_config(_config(family, layers), dtype=dtype).train()
    if lora:
        model = get_peft_model(model, LoraConfig(r=8, target_modules="all-linear", task_type="CAUSAL_LM"))
    shapes = {tuple(sorted(weight.shape)) for weight in model.parameters() if weight.dim() == 2}
    weights = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    kept: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        copied = tensor.dim() == 2 and tuple(sorted(tensor.shape)) in shapes
        if storage.data_ptr() not in weights and not copied:
            kept[storage.data_ptr()] = tensor
        return tensor

    ids = torch.randint(0, 1000, (ROWS, LENGTH))
    mask = torch.ones_like(ids)
    mask[0, LENGTH // 2 :] = 0 if masked else 1
    half = precision != "float32"
    cast = torch.autocast("cpu", torch.bfloat16) if half else contextlib.nullcontext()
    backbone = model.get_base_model().model if lora else model.model
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), cast:
        held = backbone(input_ids=ids, attention_mask=mask, use_cache=False)
    assert held is not None
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


# Tracing


@pytest.mark.parametrize(
    ("technique", "adapter", "kind", "settings"),
    [
        ("sft", "full", "cpu", {"max_length": 256}),
        ("sft", "lora", "cuda", {"max_length": 256, "activation_checkpointing": "on"}),
        ("dpo", "full", "cuda", {"max_length": 256}),
        ("grpo", "lora", "cpu", {"max_completion_length": 64}),
    ],
)
def test_a_trace_of_the_runs_own_trainer_agrees_with_the_closed_form(
    order: Callable[..., Order], technique: str, adapter: str, kind: Any, settings: dict[str, Any]
) -> None:
    given = {"per_device_train_batch_size": 8, "activation_checkpointing": "off"} | settings
    found = trace_memory.trace(order(technique, adapter, **given), Device(kind))
    tensors = found.total - found.framework - found.slack
    assert found.closed_form - found.framework - found.slack == pytest.approx(tensors, rel=0.04)


def test_the_command_prints_one_json_object(order: Callable[..., Order]) -> None:
    made = order("sft", "full", per_device_train_batch_size=4, max_length=128)
    done = subprocess.run(
        [sys.executable, "-m", "worker.trace_memory", str(made.folder), "--device", "cpu"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    printed = json.loads(done.stdout)
    assert printed["total"] == max(printed["moments"].values()) + printed["framework"] + printed["slack"]


def ask(technique: str, others: dict[str, Any], **settings: Any) -> subprocess.CompletedProcess[str]:
    """The command with a question on its standard input."""
    kind = techniques.get(technique)
    asked = Asked(
        technique=technique,
        adapter="full",
        source=str(STARTER),
        shape=kind.shapes[0],
        settings=kind.parameters(**settings).model_dump(mode="json"),
        adapter_settings={},
        device=Device("cpu", 16 * 2**30),
        longest=100,
        others=others,
    )
    return subprocess.run(
        [sys.executable, "-m", "worker.trace_memory"],
        cwd=ROOT,
        input=json.dumps(asdict(asked)),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("mode", ["answers", "on_policy"])
def test_a_teacher_counts_with_its_own_size_and_so_do_the_models_of_graders(mode: str) -> None:
    starter = json.loads((STARTER / "config.json").read_text())
    layers = 4 * starter["num_hidden_layers"]
    teacher = starter | {"num_hidden_layers": layers, "layer_types": ["full_attention"] * layers}
    settings = {"mode": mode, "per_device_train_batch_size": 4, "max_completion_length": 32}
    done = ask("distillation", {"teacher_model": teacher, "judge": starter}, **settings)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    beside = found["framework"] + found["slack"]
    assert found["total"] - beside == pytest.approx(found["closed_form"] - beside, rel=0.04)
    both = read(teacher).weights() + read(starter).weights()
    assert all(bytes > 4 * both for bytes in found["moments"].values())


def test_a_technique_without_a_training_step_says_so(order: Callable[..., Order]) -> None:
    with pytest.raises(StudioError, match="not traced"):
        trace_memory.trace(order("feature_classifier"), Device("cpu"))
    refused = ask("feature_classifier", {})
    assert refused.returncode == 2
    assert "not traced" in json.loads(refused.stdout)["error"]


def test_live_tensors_are_counted_until_they_end() -> None:
    with Live() as live:
        first = torch.zeros(1000)
        view = first[:10]
        second = first + 1
        assert live.now == 8000
        del first
        assert live.now == 8000  # the view still holds it
        del view
        assert live.now == 4000
        del second
    assert (live.now, live.most) == (0, 8000)


def test_a_weights_layer_is_read_from_its_name() -> None:
    assert place("base_model.model.model.layers.12.mlp.up_proj.lora_A.default.weight") == 12
    assert place("model.embed_tokens.weight") == -1
