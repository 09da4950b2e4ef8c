"""What a machine can do is chosen with a reason, and a person's own wish comes first."""

from pathlib import Path
from typing import Any

import pytest
import torch
from trl import DPOConfig, GRPOConfig, SFTConfig

from worker import hardware
from worker.order import GraderOrder, Order

CONFIG = {
    "model_type": "llama",
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "intermediate_size": 14336,
    "vocab_size": 128256,
}


def order(technique: str = "sft", **changes: Any) -> Order:
    given: dict[str, Any] = {
        "run_id": 1,
        "attempt": 1,
        "kind": "train",
        "folder": Path("run"),
        "spool": Path("spool"),
        "log": Path("log"),
        "models": [],
        "technique": technique,
        "adapter": "lora",
    }
    return Order(**given | changes)


class Gpu:
    """What torch says of a GPU, for machines that have none; no training runs on it."""

    def __init__(self, gb: float):
        self.total_memory, self.name = int(gb * 2**30), "some GPU"


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Any:
    def install(gb: float) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: Gpu(gb))

    return install


def values(choices: list[hardware.Choice]) -> dict[str, str]:
    return {choice.name: choice.value for choice in choices}


def test_without_a_gpu_nothing_is_switched_on_and_the_reason_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    chosen = hardware.choose(order(), CONFIG)
    assert set(values(chosen).values()) == {"off"}
    assert all(choice.reason.endswith(".") for choice in chosen)
    assert hardware.arguments(chosen, SFTConfig)["bf16"] is False


def test_a_persons_wish_comes_first() -> None:
    wished = order(parameters={"activation_checkpointing": "on", "bf16": "off"})
    chosen = {choice.name: choice for choice in hardware.choose(wished, CONFIG)}
    assert chosen["activation_checkpointing"].value == "on"
    assert chosen["activation_checkpointing"].reason == hardware.AS_SET
    assert hardware.arguments(list(chosen.values()), DPOConfig)["activation_checkpointing"] is True


def test_activations_are_checkpointed_only_where_the_run_would_not_fit(gpu: Any) -> None:
    long_rows = {"per_device_train_batch_size": 8, "max_length": 4096}
    gpu(80)
    small = hardware.choose(order(parameters={"per_device_train_batch_size": 1, "max_length": 256}), CONFIG)
    large = hardware.choose(order(parameters=long_rows), CONFIG)
    assert values(small)["activation_checkpointing"] == "off"
    assert values(small)["bf16"] == "on"
    assert values(large)["activation_checkpointing"] == "on"
    gpu(2000)
    assert values(hardware.choose(order(parameters=long_rows), CONFIG))["activation_checkpointing"] == "off"


def test_compiling_needs_steps_that_earn_it_back_and_rows_of_one_length(gpu: Any) -> None:
    gpu(80)
    packed = {"packing": True, "max_steps": 1000}
    assert values(hardware.choose(order(arguments=packed), CONFIG))["torch_compile"] == "on"
    assert (
        values(hardware.choose(order(arguments=packed | {"max_steps": 50}), CONFIG))["torch_compile"] == "off"
    )
    assert values(hardware.choose(order(arguments={"max_steps": 1000}), CONFIG))["torch_compile"] == "off"


def test_vllm_is_asked_about_only_where_answers_are_generated() -> None:
    graded = order("grpo", graders=[GraderOrder(name="e", grader="exact_match")])
    assert "vllm" in values(hardware.choose(graded, CONFIG))
    assert "vllm" not in values(hardware.choose(order(), CONFIG))


@pytest.mark.parametrize("config", [SFTConfig, DPOConfig, GRPOConfig])
def test_a_trainer_gets_only_arguments_it_has(config: Any, tmp_path: Path) -> None:
    graded = order("grpo", graders=[GraderOrder(name="e", grader="exact_match")])
    given = hardware.arguments(hardware.choose(graded, CONFIG), config)
    config(output_dir=str(tmp_path), use_cpu=True, **given)
    assert ("use_vllm" in given) is (config is GRPOConfig)
