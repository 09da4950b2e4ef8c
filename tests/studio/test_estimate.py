"""The memory estimate: sizes of real models, parts that add up, and what would make a run fit."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from studio import adapters, estimate, techniques, weights
from studio.errors import StudioError
from studio.estimate import Device, Estimate
from studio.estimate.advice import Change, changes
from studio.estimate.architecture import read
from studio.estimate.quantities import GIGA, said

STARTER = Path(__file__).parents[2] / "examples" / "starter-model"
QWEN_7B = {
    "model_type": "qwen2",
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "vocab_size": 152064,
    "tie_word_embeddings": False,
}
H100 = Device("cuda", 80 * GIGA, "H100")


def config(**changes: Any) -> dict[str, Any]:
    return QWEN_7B | changes


def of(technique: str = "sft", adapter: str = "full", device: Device = H100, **settings: Any) -> Estimate:
    given = {"activation_checkpointing": "off"} | settings
    return estimate.for_run(technique, adapter, QWEN_7B, given, device)


# Sizes


def test_the_starters_weights_are_counted_exactly() -> None:
    counted = read(json.loads((STARTER / "config.json").read_text())).weights()
    assert counted == weights.inspect(STARTER)["parameters"]


@pytest.mark.parametrize(
    ("name", "given", "published"),
    [
        ("Qwen2.5-7B", QWEN_7B, 7_615_616_512),
        (
            "Llama-3.1-8B",
            {
                "model_type": "llama",
                "hidden_size": 4096,
                "intermediate_size": 14336,
                "num_hidden_layers": 32,
                "num_attention_heads": 32,
                "num_key_value_heads": 8,
                "vocab_size": 128256,
            },
            8_030_261_248,
        ),
        (
            "Qwen3-0.6B",
            {
                "model_type": "qwen3",
                "hidden_size": 1024,
                "intermediate_size": 3072,
                "num_hidden_layers": 28,
                "num_attention_heads": 16,
                "num_key_value_heads": 8,
                "head_dim": 128,
                "vocab_size": 151936,
                "tie_word_embeddings": True,
            },
            596_049_920,
        ),
        (
            "Mixtral-8x7B",
            {
                "model_type": "mixtral",
                "hidden_size": 4096,
                "intermediate_size": 14336,
                "num_hidden_layers": 32,
                "num_attention_heads": 32,
                "num_key_value_heads": 8,
                "vocab_size": 32000,
                "num_local_experts": 8,
                "num_experts_per_tok": 2,
            },
            46_702_792_704,
        ),
        (
            "gpt2",
            {
                "model_type": "gpt2",
                "n_embd": 768,
                "n_layer": 12,
                "n_head": 12,
                "n_positions": 1024,
                "vocab_size": 50257,
            },
            124_439_808,
        ),
    ],
)
def test_weights_of_known_models_are_counted(name: str, given: Mapping[str, Any], published: int) -> None:
    assert read(given).weights() == pytest.approx(published, rel=2e-4)


def test_the_language_part_of_a_model_that_sees_is_read() -> None:
    assert read({"model_type": "seer", "text_config": QWEN_7B}) == read(QWEN_7B)


def test_a_config_without_sizes_is_refused_with_the_name_of_what_it_lacks() -> None:
    with pytest.raises(StudioError, match="hidden_size") as refused:
        estimate.for_run("sft", "full", {"model_type": "mystery"}, {}, H100)
    assert refused.value.field == "model"


def test_lora_counts_the_matrices_of_its_targets() -> None:
    """Rank 16 on all linear layers of Qwen2.5-7B: 40,370,176 weights, as peft prints."""
    lora = of(adapter="lora")
    assert "40.4 million" in lora.part("optimiser").why


# Parts


def test_parts_add_up_and_each_says_why() -> None:
    for technique in techniques.all():
        found = estimate.for_run(
            technique, technique.adapters[0] if technique.adapters else "lora", QWEN_7B, {}, H100
        )
        assert found.total == sum(part.bytes for part in found.parts)
        assert all(part.why.endswith(".") and part.bytes > 0 for part in found.parts), technique.name
        assert len({part.name for part in found.parts}) == len(found.parts)


def test_full_training_in_bfloat16_holds_eight_bytes_a_weight() -> None:
    found = of(per_device_train_batch_size=1, max_length=16)
    model = 7_615_616_512
    held = sum(found.part(name).bytes for name in ("weights", "gradients", "optimiser"))
    assert held == pytest.approx(8 * model, rel=0.001)
    assert found.moment == "when the backward pass ends"


def test_on_a_cpu_everything_is_float32() -> None:
    found = of(device=Device("cpu"), per_device_train_batch_size=1, max_length=16)
    assert found.part("weights").bytes == 4 * 7_615_616_512


def test_four_bit_weights_leave_the_embeddings_as_they_are() -> None:
    half, quarter = of(adapter="lora"), of(adapter="qlora")
    tables = 2 * 152064 * 3584
    assert quarter.part("weights").bytes < half.part("weights").bytes / 2
    assert quarter.part("weights").bytes > 2 * tables + 0.5 * (7_615_616_512 - tables)


def test_activations_grow_with_rows_and_fall_with_checkpointing() -> None:
    one = of(adapter="lora", per_device_train_batch_size=2)
    two = of(adapter="lora", per_device_train_batch_size=4)
    less = of(adapter="lora", per_device_train_batch_size=4, activation_checkpointing="on")
    assert two.part("activations").bytes == pytest.approx(2 * one.part("activations").bytes, rel=0.01)
    assert less.part("activations").bytes < two.part("activations").bytes / 4


def test_rows_that_are_known_to_be_shorter_need_less() -> None:
    given = {"max_length": 4096, "activation_checkpointing": "off"}
    known = estimate.for_run("sft", "lora", QWEN_7B, given, H100, longest=512)
    assert known.total < estimate.for_run("sft", "lora", QWEN_7B, given, H100).total
    assert known.total == of(adapter="lora", max_length=512).total


def test_a_pair_is_two_rows_and_a_reference_is_a_second_model() -> None:
    sft, dpo = of("sft", per_device_train_batch_size=4), of("dpo", per_device_train_batch_size=2)
    assert dpo.part("activations").bytes == sft.part("activations").bytes
    assert dpo.part("reference_model").bytes == dpo.part("weights").bytes


def test_beside_an_adapter_the_reference_is_the_model_itself() -> None:
    assert all(part.name != "reference_model" for part in of("dpo", "lora").parts)


def test_without_a_kl_term_there_is_no_reference() -> None:
    without, with_kl = of("grpo", beta=0.0), of("grpo", beta=0.04)
    assert all(part.name != "reference_model" for part in without.parts)
    assert with_kl.part("reference_model").bytes == with_kl.part("weights").bytes


def test_many_long_answers_make_generation_the_peak() -> None:
    given = {"gradient_accumulation_steps": 256, "max_completion_length": 2048}
    found = of("grpo", "lora", per_device_train_batch_size=1, **given)
    assert "generated" in found.moment
    assert "256 answers" in found.part("cache").why


def test_ppo_has_a_value_model_that_learns() -> None:
    found = of("ppo", per_device_train_batch_size=1, num_mini_batches=1)
    assert found.part("value_model").bytes > found.part("weights").bytes + found.part("optimiser").bytes


def test_a_teachers_size_is_assumed_and_said_unless_it_is_known() -> None:
    assumed = of("distillation", "lora", mode="on_policy")
    assert any("teacher" in note for note in assumed.notes)
    known = estimate.for_run(
        "distillation",
        "lora",
        QWEN_7B,
        {"mode": "on_policy"},
        H100,
        others={"teacher_model": config(num_hidden_layers=14)},
    )
    assert known.part("teacher").bytes < assumed.part("teacher").bytes


def test_models_of_graders_are_counted() -> None:
    judged = estimate.for_run("grpo", "lora", QWEN_7B, {}, H100, others={"judge": QWEN_7B})
    assert judged.part("judge").bytes == 2 * 7_615_616_512


def test_auto_checkpoints_only_where_the_run_would_not_fit() -> None:
    roomy = of(activation_checkpointing="auto", device=Device("cuda", 1000 * GIGA))
    tight = of(activation_checkpointing="auto")
    assert not roomy.checkpointing
    assert tight.checkpointing
    assert any("checkpointing" in note for note in tight.notes)


def test_settings_left_out_have_their_defaults() -> None:
    given = techniques.get("sft").parameters().model_dump()
    said_all = estimate.for_run(techniques.get("sft"), adapters.get("full"), QWEN_7B, given, H100)
    assert said_all.parts == estimate.for_run("sft", "full", QWEN_7B, {}, H100).parts


# Advice


def names(found: list[Change]) -> list[str]:
    return [change.name for change in found]


def test_a_run_that_fits_needs_no_advice() -> None:
    assert changes(of("sft", "lora", per_device_train_batch_size=1)) == []


def test_without_knowing_the_memory_there_is_no_advice() -> None:
    assert changes(of(device=Device("cuda"))) == []


def test_the_cheapest_change_that_is_enough_ends_the_list() -> None:
    found = changes(of("sft", "lora", per_device_train_batch_size=16, max_length=2048))
    assert found[-1].fits
    assert not any(change.fits for change in found[:-1])
    assert found[-1].name.startswith("batch_")
    last = found[-1].settings
    assert last["per_device_train_batch_size"] * last["gradient_accumulation_steps"] == 16
    assert found[-1].total <= 80 * GIGA


def test_an_adapter_is_offered_where_all_weights_are_too_many() -> None:
    found = changes(of("dpo", device=Device("cuda", 48 * GIGA), per_device_train_batch_size=1))
    assert "lora" in names(found)


def test_changes_are_joined_where_none_alone_is_enough() -> None:
    found = changes(of("dpo", device=Device("cuda", 24 * GIGA), max_length=4096))
    assert found[-1].fits
    assert "LoRA" in found[-1].title
    assert found[-1].settings["activation_checkpointing"] == "on"


def test_what_is_advised_is_what_an_estimate_with_it_says() -> None:
    found = changes(of("sft", "lora", per_device_train_batch_size=16, max_length=2048))[-1]
    again = of("sft", found.adapter, max_length=2048, **found.settings)
    assert again.total == found.total


# Saying it


@pytest.mark.parametrize(
    ("amount", "words"),
    [(500, "0 KB"), (2048, "2 KB"), (3 * 2**20, "3 MB"), (1.5 * GIGA, "1.5 GB"), (2000 * GIGA, "2,000 GB")],
)
def test_amounts_are_said_in_units_people_use(amount: float, words: str) -> None:
    assert said(amount) == words


def test_gigabytes_are_those_of_a_gpus_box() -> None:
    assert estimate.fits(24 * GIGA, 24)
    assert not estimate.fits(24 * GIGA + 1, 24)


def test_an_estimate_takes_less_than_five_milliseconds() -> None:
    of("ppo")  # the catalogue is read once
    started = time.perf_counter()
    for _ in range(20):
        of("ppo")
    assert (time.perf_counter() - started) / 20 < 0.005
