"""GSPO: refused where it would do nothing; its weight is that of the whole answer; it trains mixtures of
experts and keeps their experts in balance."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer, Qwen3MoeConfig, Qwen3MoeForCausalLM

from studio import techniques
from studio.errors import StudioError
from studio.parameters import validate
from studio.techniques.gspo import GSPOParameters
from tests.worker.online_runs import STARTER, logs_of, make

# transformers renamed it in 5.23; TRL 1.16 still asks by the old name.
pytestmark = pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*:FutureWarning")


def test_one_update_a_generation_is_refused_with_a_next_step() -> None:
    with pytest.raises(StudioError) as refusal:
        validate(GSPOParameters, {"updates_per_generation": 1}, "GSPO")
    assert refusal.value.field == "updates_per_generation"
    assert "exactly GRPO" in refusal.value.message
    assert "2 or more" in refusal.value.hint
    validate(GSPOParameters, {"updates_per_generation": 1, "num_iterations": 2}, "GSPO")


def test_a_tiny_model_gets_wider_clips_than_the_papers() -> None:
    tiny, large = (techniques.get("gspo").suggest("full", size) for size in (1_000_000, 7_000_000_000))
    assert (tiny["epsilon"], tiny["epsilon_high"]) == (0.01, 0.013)
    assert not {"epsilon", "epsilon_high"} & large.keys()


def test_an_answer_is_weighed_and_clipped_as_a_whole(tmp_path: Path) -> None:
    """Equations 5 and 7 of the paper, computed by hand for one batch."""
    trainer = make("gspo", tmp_path, epsilon=0.05, epsilon_high=0.05)
    tokenizer = AutoTokenizer.from_pretrained(STARTER)
    prompt = tokenizer("take two tablets")["input_ids"]
    answers = torch.randint(20, 200, (6, 5), generator=torch.Generator().manual_seed(1))
    lengths = torch.tensor([5, 3, 4, 5, 2, 5])
    mask = (torch.arange(5) < lengths[:, None]).int()
    inputs: dict[str, Any] = {
        "prompt_ids": torch.tensor([prompt] * 6),
        "prompt_mask": torch.ones(6, len(prompt), dtype=torch.long),
        "completion_ids": answers,
        "completion_mask": mask,
        "advantages": torch.tensor([1.0, -1.0, 0.5, -0.5, 2.0, -2.0]),
        "num_items_in_batch": mask.sum(),
    }
    model = trainer.model.eval()
    whole = torch.cat([inputs["prompt_ids"], answers], dim=1)
    attention = torch.cat([inputs["prompt_mask"], mask], dim=1)
    with torch.no_grad():
        now, _, _ = trainer._get_per_token_logps_and_entropies(model, whole, attention, 5)
        shift = torch.tensor([0.01, 0.2, -0.2, -0.02, 0.3, -0.3])[:, None]  # how far the model has moved
        inputs["old_per_token_logps"] = now - shift - 0.01 * torch.arange(5)
        found = trainer._compute_loss(model, inputs)
    moved = ((now - inputs["old_per_token_logps"]) * mask).sum(dim=1) / lengths
    ratio, advantage = moved.exp(), inputs["advantages"]
    wanted = -torch.minimum(ratio * advantage, ratio.clamp(0.95, 1.05) * advantage).mean()
    assert found.item() == pytest.approx(wanted.item(), rel=1e-5)


def test_on_the_same_answers_it_clips_more_than_grpo(tmp_path: Path) -> None:
    shares = {}
    for name in ("gspo", "grpo"):
        trainer = make(name, tmp_path / name, updates_per_generation=4, max_steps=4)
        trainer.train()
        shares[name] = sum(log["clip_ratio/region_mean"] for log in logs_of(trainer)) / 4
    assert shares["gspo"] > 5 * shares["grpo"] > 0


def _mixture() -> Qwen3MoeForCausalLM:
    """Four experts of which each token asks two; random weights."""
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(STARTER)
    return Qwen3MoeForCausalLM(
        Qwen3MoeConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=64,
            moe_intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=2,
            head_dim=16,
            num_experts=4,
            num_experts_per_tok=2,
            router_aux_loss_coef=0.01,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
            tie_word_embeddings=True,
        )
    )


@pytest.mark.parametrize(("weight", "balanced"), [(None, True), (0.5, True), (0.0, False)])
def test_a_mixture_of_experts_learns_and_keeps_its_experts_in_balance(
    weight: float | None, balanced: bool, tmp_path: Path
) -> None:
    model = _mixture()
    before = {name: value.clone() for name, value in model.named_parameters()}
    trainer = make(
        "gspo", tmp_path, model=model, router_aux_loss_coef=weight, max_steps=4, learning_rate=1e-3
    )
    trainer.train()
    logs = logs_of(trainer)
    assert all(("aux_loss" in log) is balanced for log in logs)
    assert trainer.router_aux_loss_coef == (0.01 if weight is None else weight)
    moved = {name for name, value in model.named_parameters() if not torch.equal(value, before[name])}
    assert any("gate" in name for name in moved)
    assert any("experts" in name for name in moved)
    assert max(log["clip_ratio/region_mean"] for log in logs) > 0
