"""What a model is asked reads as it does in training."""

from typing import Any

import pytest
from tokenizers.processors import TemplateProcessing
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase

from tests.running import ROOT
from worker import generate
from worker.data import Prompt
from worker.trainers import distillation

STARTER = ROOT / "examples" / "starter-model"
ASKED = [{"role": "user", "content": "take two tablets"}]


@pytest.fixture
def tokenizer() -> PreTrainedTokenizerBase:
    """The starter's, which begins every text with a special token, as Gemma's and Llama's do."""
    found: Any = AutoTokenizer.from_pretrained(STARTER)
    mark = found.eos_token
    found.backend_tokenizer.post_processor = TemplateProcessing(
        single=f"{mark} $A", special_tokens=[(mark, found.eos_token_id)]
    )
    return found


def test_plain_words_begin_with_the_special_token_and_a_chat_template_writes_its_own(
    tokenizer: Any,
) -> None:
    prompts = [Prompt(None, "take two", ""), Prompt(ASKED, "", "")]
    plain, chat = generate.inputs_of(tokenizer, prompts)["input_ids"].tolist()
    assert tokenizer.decode(plain) == tokenizer.pad_token * (len(chat) - 3) + tokenizer.eos_token + "take two"
    template = tokenizer.apply_chat_template(ASKED, tokenize=False, add_generation_prompt=True)
    assert tokenizer.decode(chat) == template


@pytest.mark.parametrize("prompt", ["take two", ASKED])
def test_distillation_asks_as_it_trains(tokenizer: Any, prompt: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model = AutoModelForCausalLM.from_pretrained(STARTER)
    read: list[list[int]] = []
    usual = model.generate

    def heard(**given: Any) -> Any:
        read.extend(given["input_ids"].tolist())
        return usual(**given)

    monkeypatch.setattr(model, "generate", heard)
    distillation.answers_of(model, tokenizer, [{"prompt": prompt}], most=1, batch=1)
    wanted = Prompt(None, prompt, "") if isinstance(prompt, str) else Prompt(prompt, "", "")
    assert read == generate.inputs_of(tokenizer, [wanted])["input_ids"].tolist()
