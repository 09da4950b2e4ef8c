"""What a machine can do is chosen with a reason, and a person's own wish comes first."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModel, AutoModelForCausalLM, CodeGenConfig, LlamaConfig
from trl import DPOConfig, GRPOConfig, KTOConfig, RewardConfig, RLOOConfig, SFTConfig

from studio import techniques
from worker import hardware
from worker.order import DataOrder, GraderOrder, Order

CONFIG = {
    "model_type": "llama",
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "intermediate_size": 14336,
    "vocab_size": 128256,
}
SMALL = CONFIG | {"hidden_size": 128, "num_hidden_layers": 2, "intermediate_size": 256, "vocab_size": 1000}


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


def graded(**changes: Any) -> Order:
    return order("grpo", graders=[GraderOrder(name="e", grader="exact_match")], **changes)


class Gpu:
    """What torch says of a GPU, for machines that have none; no training runs on it."""

    def __init__(self, gb: float):
        self.total_memory, self.name = int(gb * 2**30), "some GPU"


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Installs a GPU of so many GB, and libraries beside it."""
    found = importlib.util.find_spec

    def install(gb: float, *libraries: str) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: Gpu(gb))
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (9, 0))
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name: True if name in libraries else found(name)
        )

    return install


def small_model() -> Any:
    torch.manual_seed(0)
    config = LlamaConfig(**{key: value for key, value in SMALL.items() if key != "model_type"})
    return AutoModelForCausalLM.from_config(config)


def values(choices: list[hardware.Choice]) -> dict[str, str]:
    return {choice.name: choice.value for choice in choices}


def reasons(choices: list[hardware.Choice]) -> dict[str, str]:
    return {choice.name: choice.reason for choice in choices}


def test_without_a_gpu_nothing_is_switched_on_and_the_reason_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    chosen = hardware.choose(order(arguments={"packing": True}), SMALL)
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
    assert "80.0 GB" in reasons(large)["activation_checkpointing"]
    gpu(2000)
    assert values(hardware.choose(order(parameters=long_rows), CONFIG))["activation_checkpointing"] == "off"


def test_a_model_whose_sizes_are_unknown_is_checkpointed_on_a_gpu(gpu: Any) -> None:
    gpu(80)
    chosen = hardware.choose(order(), {"model_type": "mystery"})
    assert values(chosen)["activation_checkpointing"] == "on"
    assert "cannot be estimated" in reasons(chosen)["activation_checkpointing"]


def test_on_a_processor_short_memory_is_given_back_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    chosen = hardware.choose(order(), CONFIG | {"num_hidden_layers": 1000})
    assert values(chosen)["activation_checkpointing"] == "on"
    assert values(chosen)["returns_memory"] == "on"
    assert values(hardware.choose(order(), SMALL))["returns_memory"] == "off"


def test_compiling_needs_steps_that_earn_it_back_and_rows_of_one_length(gpu: Any) -> None:
    gpu(80)
    packed = {"packing": True, "max_steps": 1000}
    assert values(hardware.choose(order(arguments=packed), CONFIG))["torch_compile"] == "on"
    short = hardware.choose(order(arguments=packed | {"max_steps": 50}), CONFIG)
    assert values(short)["torch_compile"] == "off"
    assert values(hardware.choose(order(arguments={"max_steps": 1000}), CONFIG))["torch_compile"] == "off"
    assert values(hardware.choose(graded(), CONFIG))["torch_compile"] == "off"
    assert values(hardware.choose(order(adapter="dora", arguments=packed), CONFIG))["torch_compile"] == "off"


def test_where_epochs_decide_the_steps_are_worked_out_from_the_size_of_the_rows(
    gpu: Any, tmp_path: Path
) -> None:
    gpu(80)
    given = techniques.get("sft").parameters(packing=True, max_length=1000).model_dump()
    arguments = techniques.get("sft").trainer_arguments(given, "text", measured=False)
    data = DataOrder(path=tmp_path / "rows.jsonl", shape="text", title="text")
    given = order(arguments=arguments, data=data)
    data.path.write_bytes(bytes(1_000_000))
    short = hardware.choose(given, CONFIG)
    assert values(short)["torch_compile"] == "off"
    assert "94 steps" in reasons(short)["torch_compile"]  # 3 epochs of 250,000 tokens, 8,000 a step
    data.path.write_bytes(bytes(10_000_000))
    assert values(hardware.choose(given, CONFIG))["torch_compile"] == "on"


def test_packed_rows_go_one_at_a_time_where_attention_would_need_a_mask(gpu: Any) -> None:
    sizes = {"max_steps": 9, "per_device_train_batch_size": 8, "gradient_accumulation_steps": 2}
    given = order(arguments={"packing": True, **sizes})
    gpu(80)
    alone = hardware.arguments(hardware.choose(given, CONFIG), SFTConfig)
    assert (alone["per_device_train_batch_size"], alone["gradient_accumulation_steps"]) == (1, 16)
    gpu(80, "flash_attn")
    together = hardware.choose(given, CONFIG)
    assert values(together)["padding_free"] == values(together)["flash_attention"] == "on"
    assert "per_device_train_batch_size" not in hardware.arguments(together, SFTConfig)


def test_flash_attention_needs_bfloat16_and_a_model_that_runs_in_it(gpu: Any) -> None:
    gpu(80, "flash_attn")
    assert values(hardware.choose(order(), CONFIG))["flash_attention"] == "on"
    exact = hardware.choose(order(parameters={"bf16": "off"}), CONFIG)
    assert values(exact)["flash_attention"] == "off"
    assert "bfloat16" in reasons(exact)["flash_attention"]
    other = hardware.choose(order(arguments={"packing": True, "max_steps": 9}), CONFIG, takes_flash=False)
    assert values(other)["flash_attention"] == values(other)["padding_free"] == "off"
    assert hardware.takes_flash(small_model())
    assert not hardware.takes_flash(AutoModel.from_config(CodeGenConfig(n_layer=1, n_embd=64, n_head=4)))


def test_rows_that_are_not_packed_are_left_as_they_are(gpu: Any) -> None:
    gpu(80)
    assert "padding_free" not in values(hardware.choose(order(), CONFIG))


def test_liger_kernels_need_the_library_and_triton(gpu: Any) -> None:
    gpu(80, "triton")
    assert values(hardware.choose(order(), CONFIG))["liger"] == "off"
    gpu(80, "triton", "liger_kernel")
    assert hardware.arguments(hardware.choose(order(), CONFIG), SFTConfig)["use_liger_kernel"] is True


def test_vllm_is_asked_about_only_where_answers_are_generated() -> None:
    assert "vllm" in values(hardware.choose(graded(), CONFIG))
    assert "vllm" not in values(hardware.choose(order(), CONFIG))


def test_vllm_is_used_where_its_share_of_the_memory_is_free(gpu: Any) -> None:
    gpu(80, "vllm")
    chosen = hardware.choose(graded(), SMALL)
    assert hardware.arguments(chosen, GRPOConfig)["vllm_mode"] == "colocate"
    gpu(24, "vllm")
    assert values(hardware.choose(graded(), CONFIG))["vllm"] == "off"


@pytest.mark.parametrize("config", [SFTConfig, DPOConfig, KTOConfig, RewardConfig, GRPOConfig, RLOOConfig])
def test_a_trainer_gets_only_arguments_it_has(config: Any, tmp_path: Path) -> None:
    given = hardware.arguments(hardware.choose(graded(), SMALL), config)
    config(output_dir=str(tmp_path), use_cpu=True, **given)
    assert ("use_vllm" in given) is (config in (GRPOConfig, RLOOConfig))


def test_a_run_keeps_what_each_choice_says_and_does(gpu: Any) -> None:
    gpu(80, "flash_attn", "triton", "liger_kernel", "vllm")
    kept = {each["name"]: each for each in hardware.as_json(hardware.choose(graded(), SMALL), SFTConfig)}
    assert kept["bf16"]["arguments"] == {"bf16": True}
    assert kept["liger"]["arguments"] == {"use_liger_kernel": True}
    assert kept["flash_attention"]["effect"] == "attend_in_flash"
    assert (kept["torch_compile"]["value"], kept["torch_compile"]["effect"]) == ("off", "")
    assert (kept["vllm"]["value"], kept["vllm"]["arguments"]) == ("on", {})  # this trainer has none of them
    json.dumps(kept)
    wished = hardware.as_json(hardware.choose(order(parameters={"torch_compile": "on"}), SMALL), SFTConfig)
    assert next(each["effect"] for each in wished if each["name"] == "torch_compile") == "compile_layers"
