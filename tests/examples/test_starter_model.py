"""The starter model: small, loadable without foreign code, lossless in its tokens, and able to learn."""

import json
import random
from pathlib import Path
from typing import Any

import corpus
import pretrain
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import TemplateError
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl.chat_template_utils import (
    is_chat_template_prefix_preserving,
    is_chat_template_stop_token_trained,
    supports_tool_calling,
)

from benchmarks import sft_sample
from examples.medication_directions import make

STARTER = sft_sample.STARTER
TOKENIZER: Any = AutoTokenizer.from_pretrained(STARTER)  # transformers types its answers as unions

WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
CALL = {"type": "function", "function": {"name": "weather", "arguments": {"city": "Lund"}}}
TOOL_TALK: list[dict] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "How warm is it in Lund?"},
    {"role": "assistant", "content": "", "tool_calls": [CALL]},
    {"role": "tool", "name": "weather", "content": "7 degrees"},
    {"role": "assistant", "content": "It is 7 degrees."},
]


def render(messages: list[dict], **options: object) -> str:
    return TOKENIZER.apply_chat_template(messages, tokenize=False, **options)


def answered(messages: list[dict]) -> str:
    """The tokens of a conversation that count as the assistant's."""
    encoded = TOKENIZER.apply_chat_template(messages, return_dict=True, return_assistant_tokens_mask=True)
    pairs = zip(encoded["input_ids"], encoded["assistant_masks"], strict=True)
    return TOKENIZER.decode([token for token, mine in pairs if mine])


# Size and loading


def test_the_folder_is_at_most_12_mb() -> None:
    assert sum(file.stat().st_size for file in STARTER.rglob("*") if "__pycache__" not in file.parts) <= 12e6


def test_it_loads_as_a_float32_model_of_1_to_5_million_parameters() -> None:
    model = AutoModelForCausalLM.from_pretrained(STARTER, trust_remote_code=False)

    assert type(model).__name__ == "Qwen3ForCausalLM"
    assert 1e6 <= model.num_parameters() <= 5e6
    assert model.dtype == torch.float32
    assert model.config.max_position_embeddings >= 1024


def test_model_and_tokenizer_agree_on_special_tokens() -> None:
    model = AutoModelForCausalLM.from_pretrained(STARTER)

    assert model.generation_config.eos_token_id == TOKENIZER.eos_token_id
    assert model.generation_config.pad_token_id == TOKENIZER.pad_token_id
    assert TOKENIZER.pad_token_id != TOKENIZER.eos_token_id
    assert len(TOKENIZER) == model.config.vocab_size


def test_the_record_of_the_pretraining_is_of_this_script() -> None:
    record = json.loads((STARTER / "pretraining.json").read_text())

    assert (record["seed"], record["documents"]) == (pretrain.SEED, pretrain.DOCUMENTS)


# Tokenizer


@settings(deadline=None)
@given(st.text())
def test_any_text_survives_the_tokenizer(text: str) -> None:
    assert TOKENIZER.decode(TOKENIZER.encode(text)) == text


def test_words_of_the_sample_task_are_one_token_each() -> None:
    pieces = TOKENIZER.tokenize(" take two tablets orally twice daily with food for seven days prn")

    assert len(pieces) == 12


def test_the_script_makes_the_shipped_tokenizer_again() -> None:
    rng = random.Random(pretrain.SEED)
    avoid = {make.fingerprint(text) for text in pretrain.shipped_directions()}
    conversations = [corpus.draw_document(rng, avoid) for _ in range(pretrain.TOKENIZER_DOCUMENTS)]

    made = pretrain.build_tokenizer(conversations)

    assert json.loads(made.backend_tokenizer.to_str())["model"]["merges"] == shipped_merges()
    assert made.get_vocab() == TOKENIZER.get_vocab()


def shipped_merges() -> list:
    return json.loads((STARTER / "tokenizer.json").read_text())["model"]["merges"]


# Chat template


def test_a_conversation_renders_as_role_tokens_and_words() -> None:
    text = render(
        [{"role": "system", "content": "A"}, {"role": "user", "content": "B"}], add_generation_prompt=True
    )

    assert text == "<|system|>A<|end|><|user|>B<|end|><|assistant|>"


def test_only_assistant_turns_and_their_ends_are_marked_as_generated() -> None:
    assert (
        answered(
            [
                {"role": "user", "content": "one"},
                {"role": "assistant", "content": "two"},
                {"role": "user", "content": "three"},
                {"role": "assistant", "content": "four"},
            ]
        )
        == "two<|end|>four<|end|>"
    )


def test_tools_calls_and_results_are_rendered() -> None:
    assert render(TOOL_TALK, tools=[WEATHER]) == (
        '<|system|>Be brief.\n\nTools:\n{"type": "function", "function": {"name": "weather", '
        '"parameters": {"type": "object"}}}<|end|>'
        "<|user|>How warm is it in Lund?<|end|>"
        '<|assistant|><tool_call>{"name": "weather", "arguments": {"city": "Lund"}}</tool_call><|end|>'
        "<|tool|>7 degrees<|end|>"
        "<|assistant|>It is 7 degrees.<|end|>"
    )


def test_a_tool_call_is_read_back_as_it_was_written() -> None:
    written = render(TOOL_TALK[:3])
    prefix, completion = written.split("<|assistant|>")

    message = TOKENIZER.parse_response(completion, prefix=prefix + "<|assistant|>")

    assert message["tool_calls"] == [CALL]


def test_content_in_parts_renders_like_plain_content() -> None:
    parts: list[dict] = [{"type": "text", "text": "one "}, {"type": "text", "text": "two"}]

    assert render([{"role": "user", "content": parts}]) == render([{"role": "user", "content": "one two"}])


def test_an_unknown_role_is_refused() -> None:
    with pytest.raises(TemplateError, match="knows the roles"):
        render([{"role": "narrator", "content": "Once upon a time"}])


@pytest.mark.parametrize(
    "check", [supports_tool_calling, is_chat_template_prefix_preserving, is_chat_template_stop_token_trained]
)
def test_trl_finds_the_template_fit_for_training(check) -> None:
    assert check(TOKENIZER)


def test_pretraining_masks_the_same_tokens_as_the_template() -> None:
    encoded = TOKENIZER.apply_chat_template(TOOL_TALK, return_dict=True, return_assistant_tokens_mask=True)

    mask = pretrain.assistant_mask(torch.tensor([encoded["input_ids"]]), TOKENIZER)

    assert mask[0].long().tolist() == encoded["assistant_masks"]


# Pretraining text


def test_pretraining_never_sees_a_direction_of_the_sample_files_or_its_system_prompt() -> None:
    rng, avoid = random.Random(1), {make.fingerprint(text) for text in pretrain.shipped_directions()}

    for _ in range(3000):
        text, _parts = corpus.new_direction(rng, avoid)
        messages, _tools = corpus.draw_document(rng, avoid)
        assert make.fingerprint(text) not in avoid
        assert make.SYSTEM not in [message["content"] for message in messages]


def test_pretraining_never_sees_a_direction_recorded_wholly_in_the_house_convention() -> None:
    rng = random.Random(1)

    for _ in range(3000):
        parts = make.draw_parts(rng)
        assert corpus.other_record(rng, parts) != parts.meaning


# Learning


def test_sixty_steps_teach_it_the_sample_task(tmp_path: Path) -> None:
    plain = [row for row in sft_sample.read("test") if row["slice"] == "plain"][:100]
    before, _ = sft_sample.score(STARTER, plain)

    model = sft_sample.train(1, "full", sft_sample.read("train"), tmp_path, max_steps=60)

    after, _ = sft_sample.score(model, plain)
    assert after["plain"] >= before["plain"] + 30
