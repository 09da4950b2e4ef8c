"""PPO trains a real tiny model: its first ratio is 1, its reference stays, a resumed run is the same run."""

import ast
import json
import sys
from collections.abc import Callable
from fnmatch import fnmatch
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3ForSequenceClassification,
    Qwen3MoeConfig,
    Qwen3MoeForCausalLM,
    TrainerCallback,
    set_seed,
)

import worker.trainers.ppo
from studio.techniques.ppo_metrics import METRICS
from worker.effects import compile_layers
from worker.trainers.ppo import PPOConfig, PPOTrainer
from worker.trainers.ppo.critic import build, silence_dropout
from worker.trainers.ppo.policy import log_probs
from worker.trainers.ppo.rollouts import sequences

ROOT = Path(__file__).parents[2]
STARTER = ROOT / "examples" / "starter-model"

# transformers renamed it in 5.23; TRL 1.16 still asks by the old name.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*:FutureWarning"),
    pytest.mark.filterwarnings("ignore:You are using 'rollout_func':UserWarning"),
]

Logs = list[dict[str, float]]
TIMES = ("runtime", "per_second", "step_time", "train_loss")  # what two equal runs log differently


def small(**settings: Any) -> Qwen3Config:
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "head_dim": 16}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1, "tie_word_embeddings": True}
    tokens = {"vocab_size": 2048, "eos_token_id": 1, "pad_token_id": 0}
    return Qwen3Config(**(sizes | heads | tokens | settings))


def tiny(**settings: Any) -> Qwen3ForCausalLM:
    """A decoder of 80,000 random weights that reads the starter model's tokens."""
    set_seed(1)
    return Qwen3ForCausalLM(small(**settings))


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(STARTER)


@pytest.fixture(scope="module")
def prompts() -> Dataset:
    words = [
        "take two tablets",
        "one puff",
        "apply",
        "inhale",
        "use it at night",
        "two drops",
        "chew",
        "rest",
    ]
    return Dataset.from_list([{"prompt": text, "wanted": len(text)} for text in words])


def even_tokens(completion_ids: list[list[int]], **_: Any) -> list[float]:
    """The share of even token ids."""
    return [sum(token % 2 == 0 for token in ids) / len(ids) for ids in completion_ids]


def lora(**settings: Any) -> LoraConfig:
    wanted = {"r": 4, "lora_dropout": 0.5, "target_modules": ["q_proj", "v_proj"], "task_type": "CAUSAL_LM"}
    return LoraConfig(**(wanted | settings))


class Listener(TrainerCallback):
    """Keeps what is logged, and asks for an end after a step if it is told to."""

    def __init__(self, last: int | None = None) -> None:
        self.logs: Logs = []
        self.last = last

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float], **_: Any) -> None:
        self.logs.append({"step": state.global_step, **logs})

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == self.last:
            control.should_save = control.should_training_stop = True


Make = Callable[..., PPOTrainer]


@pytest.fixture
def make(tmp_path: Path, tokenizer: PreTrainedTokenizerBase, prompts: Dataset) -> Make:
    def made(
        model: Any = None,
        rewards: Any = even_tokens,
        listener: Listener | None = None,
        eval_dataset: Dataset | None = None,
        others: dict[str, Any] | None = None,
        **settings: Any,
    ) -> PPOTrainer:
        defaults: dict[str, Any] = {
            "output_dir": str(tmp_path / "out"),
            "per_device_train_batch_size": 4,
            "num_ppo_epochs": 2,
            "max_steps": 2,
            "max_completion_length": 6,
            "learning_rate": 1e-3,
            "logging_steps": 1,
            "save_strategy": "no",
            "bf16": False,
            "use_cpu": True,
            "activation_checkpointing": False,
            "report_to": [],
            "disable_tqdm": True,
            "dataloader_pin_memory": False,
        }
        return PPOTrainer(
            model=tiny() if model is None else model,
            reward_funcs=rewards,
            args=PPOConfig(**(defaults | settings)),
            eval_dataset=eval_dataset,
            callbacks=[listener or Listener()],
            **({"train_dataset": prompts, "processing_class": tokenizer} | (others or {})),
        )

    return made


def rolled_out(trainer: PPOTrainer) -> dict[str, torch.Tensor]:
    """What the trainer knows of one rollout of the first prompts."""
    rows = [trainer.train_dataset[place] for place in range(trainer.args.generation_batch_size)]
    trainer.model.train()
    return trainer._roll_out(rows).tensors


def trained(trainer: PPOTrainer, **how: Any) -> Logs:
    trainer.train(**how)
    return next(c for c in trainer.callback_handler.callbacks if isinstance(c, Listener)).logs


# ---- the critic ---------------------------------------------------------------------------------------


def test_the_value_of_a_token_is_read_before_it() -> None:
    critic = build(tiny(), None, None).eval()
    torch.nn.init.normal_(critic.head.weight)
    ids = torch.randint(2, 2048, (1, 9))
    seen = torch.ones_like(ids)
    before = critic(ids, seen, 4)
    for place in range(4):
        other = ids.clone()
        other[0, 5 + place] = 2
        same = critic(other, seen, 4)[0] == before[0]
        assert same.tolist() == [t <= place for t in range(4)]


def test_a_critic_starts_as_the_policy_with_values_of_zero() -> None:
    policy = tiny()
    critic = build(policy, None, None)
    assert critic(torch.full((2, 5), 7), torch.ones(2, 5), 3).tolist() == [[0.0] * 3] * 2
    ours, theirs = critic.backbone.embed_tokens.weight, policy.model.embed_tokens.weight
    assert torch.equal(ours, theirs)
    assert ours.data_ptr() != theirs.data_ptr()
    assert critic.head.weight.dtype == torch.float32


@pytest.mark.parametrize("from_folder", [True, False], ids=["folder", "model"])
def test_a_critic_can_start_from_a_reward_model(tmp_path: Path, from_folder: bool) -> None:
    set_seed(3)
    judge = Qwen3ForSequenceClassification(small(num_labels=1)).eval()
    judge.save_pretrained(tmp_path)
    critic = build(tiny(), None, str(tmp_path) if from_folder else judge)
    ids = torch.randint(2, 2048, (2, 7))
    states = judge.score(judge.model(ids).last_hidden_state)[:, -4:-1, 0]
    torch.testing.assert_close(critic(ids, torch.ones_like(ids), 3), states)
    assert all(weight.requires_grad for weight in critic.parameters())


def test_a_reward_model_with_other_tokens_is_refused(tmp_path: Path) -> None:
    Qwen3ForSequenceClassification(small(num_labels=1, vocab_size=64)).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="tokenizer"):
        build(tiny(), None, str(tmp_path))


def test_with_an_adapter_the_critic_shares_the_frozen_weights_and_trains_its_own() -> None:
    policy = tiny()
    base = {weight.data_ptr() for weight in policy.parameters()}
    critic = build(policy, lora(bias="all", target_modules=["q_proj"]), None)
    learned = {name for name, weight in critic.named_parameters() if weight.requires_grad}
    frozen = {weight.data_ptr() for weight in critic.parameters() if not weight.requires_grad}
    assert frozen <= base
    assert all("lora" in name or name.startswith("head") for name in learned)
    model = get_peft_model(policy, lora())
    shared = {id(weight) for weight in model.parameters()} & {id(weight) for weight in critic.parameters()}
    assert all(not weight.requires_grad for weight in model.parameters() if id(weight) in shared)


def test_what_an_adapter_trains_of_the_base_is_the_critics_own() -> None:
    policy = tiny(attention_bias=True)
    critic = build(policy, lora(bias="all"), None)
    biases = [weight for name, weight in critic.named_parameters() if name.endswith("bias")]
    assert any(weight.requires_grad for weight in biases)
    assert not {id(w) for w in critic.parameters() if w.requires_grad} & {id(w) for w in policy.parameters()}


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")  # asked for by dynamo
def test_the_critic_of_a_compiled_policy_learns_with_layers_of_its_own() -> None:
    policy = tiny().train()
    compile_layers(policy, backend="eager")
    critic = build(policy, None, None).train()
    torch.nn.init.ones_(critic.head.weight)
    ids = torch.randint(2, 2048, (2, 8))
    critic(ids, torch.ones_like(ids), 3).sum().backward()
    assert all(weight.grad is None for weight in policy.parameters())
    assert critic.backbone.layers[0].self_attn.q_proj.weight.grad.any()


def test_dropout_is_silenced_also_where_it_is_a_number() -> None:
    model = get_peft_model(tiny(attention_dropout=0.5), lora()).train()
    ids = torch.randint(2, 2048, (2, 7))
    assert not torch.equal(model(ids).logits, model(ids).logits)
    silence_dropout(model)
    assert torch.equal(model(ids).logits, model(ids).logits)


# ---- rollouts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("adapter", [None, lora()], ids=["full", "lora"])
def test_the_first_ratio_of_a_rollout_is_exactly_one(make: Make, adapter: LoraConfig | None) -> None:
    model = tiny(attention_dropout=0.5)
    logs = trained(
        make(model, others={"peft_config": adapter}, num_mini_batches=2, max_steps=8, learning_rate=0.01)
    )
    passes = [entry["approx_kl"] for entry in logs if "approx_kl" in entry]
    assert passes[0] == passes[4] == 0.0
    assert all(passed > 0 for place, passed in enumerate(passes) if place % 4)
    assert logs[0]["clip_ratio"] == logs[0]["value_clip_ratio"] == 0.0


@pytest.mark.parametrize("adapter", [None, lora()], ids=["full", "lora"])
def test_the_reference_stays_the_model_the_run_started_from(
    make: Make, adapter: LoraConfig | None, tokenizer: PreTrainedTokenizerBase
) -> None:
    trainer = make(others={"peft_config": adapter}, learning_rate=0.02, max_steps=5, temperature=0.7)
    logs = trained(trainer)
    assert logs[0]["kl"] == 0.0
    assert trainer._rollout is not None
    rollout = trainer._rollout.tensors
    with torch.no_grad():
        base, _ = log_probs(tiny(), *sequences(rollout), temperature=0.7)
    expected = ((rollout["old_logps"] - base) * rollout["mask"]).sum(dim=1).mean()
    assert logs[4]["kl"] == pytest.approx(expected.item(), rel=1e-4)
    assert abs(logs[4]["kl"]) > 1e-3


def test_log_probabilities_are_those_of_the_tempered_distribution(make: Make) -> None:
    trainer = make(temperature=0.5)
    rollout = rolled_out(trainer)
    ids, attention, count = sequences(rollout)
    logits = tiny()(ids, attention_mask=attention).logits[:, -count - 1 : -1] / 0.5
    expected = logits.log_softmax(-1).gather(-1, rollout["completion_ids"].unsqueeze(-1)).squeeze(-1)
    found, entropy = log_probs(trainer.model, ids, attention, count, 0.5, size=3)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(entropy, torch.distributions.Categorical(logits=logits).entropy())


def test_the_score_lands_on_the_last_token_and_divergence_on_each(make: Make) -> None:
    """With λ = γ = 1 and values of 0 the return at a token is the sum of all rewards from there on."""
    trainer = make(lam=1.0, kl_coef=0.5, whiten_advantages=False)
    trainer.kl_control.coefficient = 0.5
    with torch.no_grad():
        trainer.model.model.norm.weight.mul_(1.5)  # the policy moves away from its reference
    rollout = rolled_out(trainer)
    with torch.no_grad():
        base, _ = log_probs(tiny(), *sequences(rollout), temperature=1.0)
    mask = rollout["mask"]
    penalty = -0.5 * (rollout["old_logps"] - base) * mask
    later = penalty.flip(1).cumsum(1).flip(1)
    expected = (later + trainer._scores.unsqueeze(1)) * mask
    torch.testing.assert_close(rollout["returns"], expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(rollout["advantages"], expected, atol=1e-4, rtol=1e-4)


def test_an_answer_without_an_end_pays_the_penalty(make: Make) -> None:
    def one(completion_ids: list[list[int]], **_: Any) -> list[float]:
        return [1.0] * len(completion_ids)

    def generated(ids: list[list[int]], trainer: Any) -> dict[str, Any]:
        answers = [[5, 6, 1], [5, 6, 7], [1], [8, 9, 9]]
        return {"prompt_ids": [[4]] * 4, "completion_ids": answers, "logprobs": [[0.0]] * 4}

    trainer = make(
        rewards=one, kl_coef=0.0, lam=1.0, missing_eos_penalty=0.25, others={"rollout_func": generated}
    )
    assert rolled_out(trainer)["returns"][:, 0].tolist() == [1.0, 0.75, 1.0, 0.75]


def test_the_words_of_tools_are_not_learned(make: Make) -> None:
    def generated(prompts: list[str], trainer: Any) -> dict[str, Any]:
        return {
            "prompt_ids": [[4]] * 4,
            "completion_ids": [[5, 6, 7, 1]] * 4,
            "logprobs": [[0.0] * 4] * 4,
            "env_mask": [[1, 0, 0, 1]] * 4,
        }

    rollout = rolled_out(make(others={"rollout_func": generated}))
    assert rollout["mask"].tolist() == [[1, 0, 0, 1]] * 4
    assert rollout["returns"][:, 1:3].abs().sum() == rollout["advantages"][:, 1:3].abs().sum() == 0


def test_answers_nobody_scored_and_cut_ones_are_left_out(make: Make) -> None:
    def some(completion_ids: list[list[int]], **_: Any) -> list[float | None]:
        return [None, 1.0, None, 0.0]

    rollout = rolled_out(make(rewards=some))
    assert rollout["mask"].any(dim=1).tolist() == [False, True, False, True]
    assert torch.isfinite(rollout["returns"]).all()
    cut = rolled_out(make(mask_truncated_completions=True, max_completion_length=2))
    ended = (cut["completion_ids"] == 1).any(dim=1)
    assert cut["mask"].any(dim=1).tolist() == ended.tolist()


def test_graders_are_weighted_and_given_the_rows(make: Make) -> None:
    def length(prompts: list[str], completions: list[str], wanted: list[int], **_: Any) -> list[float]:
        assert [len(prompt) for prompt in prompts] == wanted
        assert all(isinstance(text, str) for text in completions)
        return [float(n) for n in wanted]

    logs = trained(make(rewards=[even_tokens, length], reward_weights=[1.0, 0.5]))
    expected = logs[0]["rewards/even_tokens/mean"] + 0.5 * logs[0]["rewards/length/mean"]
    assert logs[0]["reward"] == pytest.approx(expected, rel=1e-5)


# ---- learning -----------------------------------------------------------------------------------------


def test_padding_never_reaches_the_loss(make: Make) -> None:
    trainer = make(max_completion_length=12)
    rollout = rolled_out(trainer)
    rollout["mask"][:, 2:] = 0  # make the rest padding
    inputs = rollout | {"tokens": rollout["mask"].sum().float()}
    spoiled = dict(inputs)
    for name in ("old_logps", "old_values", "advantages", "returns"):
        spoiled[name] = torch.where(inputs["mask"].bool(), inputs[name], torch.tensor(3.0))
    first, second = (trainer._compute_loss(trainer.model, given) for given in (inputs, spoiled))
    assert first.item() == second.item() != 0


def test_accumulated_gradients_are_those_of_the_whole_batch(make: Make) -> None:
    """Plain gradient descent, so that equal gradients mean equal weights."""
    ends = []
    for size, parts in ((4, 1), (2, 2)):
        trainer = make(
            optim="sgd",
            learning_rate=1.0,
            max_grad_norm=0.0,
            per_device_train_batch_size=size,
            gradient_accumulation_steps=parts,
            vf_coef=1.0,
        )
        trainer.train()
        ends.append([*trainer.model.state_dict().values(), *trainer.critic.state_dict().values()])
    assert not torch.equal(ends[0][0], tiny().state_dict()["model.embed_tokens.weight"])
    for whole, summed in zip(*ends, strict=True):
        torch.testing.assert_close(whole, summed, atol=2e-6, rtol=1e-4)


def test_the_critic_has_groups_of_its_own_in_one_annealed_optimiser(make: Make) -> None:
    trainer = make(value_learning_rate=5e-3, weight_decay=0.1, max_steps=4)
    logs = trained(trainer)
    groups = trainer.optimizer.param_groups
    assert [group["initial_lr"] for group in groups] == [1e-3, 1e-3, 5e-3, 5e-3]
    assert [group["weight_decay"] for group in groups] == [0.1, 0.0, 0.1, 0.0]
    assert all(group["lr"] == 0.0 and group["eps"] == 1e-5 for group in groups)
    assert [entry["learning_rate"] for entry in logs[:4]] == pytest.approx([1e-3, 7.5e-4, 5e-4, 2.5e-4])
    assert rolled_out(trainer)["old_values"].abs().max() > 0


def test_a_rollout_is_left_once_the_policy_has_moved_far_enough(make: Make) -> None:
    trainer = make(
        target_kl=1e-9, num_ppo_epochs=4, max_steps=6, learning_rate=0.01, lr_scheduler_type="constant"
    )
    weights: list[torch.Tensor] = []

    class Watch(TrainerCallback):
        def on_step_end(self, *_: Any, model: PreTrainedModel, **__: Any) -> None:
            weights.append(model.model.embed_tokens.weight.detach().clone())

    trainer.add_callback(Watch())
    skipped = [entry["update_skipped"] for entry in trained(trainer) if "update_skipped" in entry]
    assert skipped == [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]
    same = [torch.equal(before, after) for before, after in pairwise(weights)]
    assert same == [False, True, True, False, False]


def test_the_weight_of_the_penalty_is_steered_to_its_target(make: Make) -> None:
    logs = trained(make(kl_coef=0.2, kl_target=6.0, kl_horizon=100.0, max_steps=6))
    found = [entry for entry in logs if "kl_coef" in entry]
    expected = 0.2
    for entry in found:
        assert entry["kl_coef"] == pytest.approx(expected)
        expected *= 1 + min(max(entry["kl"] / 6.0 - 1, -0.2), 0.2) * 4 / 100
    assert len(found) == 3


def test_everything_worth_charting_is_logged(make: Make, prompts: Dataset) -> None:
    trainer = make(eval_dataset=prompts, eval_strategy="steps", eval_steps=2, normalize_scores=True)
    logs = trained(trainer)
    assert {
        *("reward", "reward_std", "rewards/even_tokens/mean", "kl", "kl_coef", "entropy", "approx_kl"),
        *("clip_ratio", "policy_loss", "value_loss", "value_clip_ratio", "explained_variance"),
        *("returns/mean", "values/mean", "advantages/mean", "advantages/std", "value_grad_norm"),
        *("completions/mean_length", "completions/clipped_ratio", "num_tokens", "loss", "grad_norm"),
    } <= logs[0].keys()
    evaluated = next(entry for entry in logs if "eval_reward" in entry)
    assert 0 <= evaluated["eval_reward"] <= 1
    assert "eval_rewards/even_tokens/mean" in evaluated
    assert "eval_loss" not in evaluated
    charts = [metric.key for metric in METRICS] + ["step", "epoch", "total_flos", *map("*{}".format, TIMES)]
    names = {name.removeprefix("eval_") for entry in logs for name in entry}
    assert not [name for name in names if not any(fnmatch(name, chart) for chart in charts)]


def test_activations_can_be_recomputed_instead_of_kept(make: Make) -> None:
    plain, saving = make(), make(activation_checkpointing=True)
    assert trained(plain)[0]["loss"] == pytest.approx(trained(saving)[0]["loss"], abs=1e-5)
    for trainer, saves in ((plain, False), (saving, True)):
        assert trainer.critic.training
        assert trainer.critic.backbone.is_activation_checkpointing == saves


def test_the_reward_of_an_easy_task_rises(make: Make) -> None:
    """Words from a list of sixteen, of which every other one is good: half of them at first."""
    words = {word: place for place, word in enumerate(["<pad>", "<end>", *"abcdefghijklmn"])}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(WordLevel(words, unk_token="a")), pad_token="<pad>", eos_token="<end>"
    )
    trainer = make(
        tiny(vocab_size=16),
        others={
            "processing_class": tokenizer,
            "train_dataset": Dataset.from_dict({"prompt": list("abcdefgh")}),
        },
        per_device_train_batch_size=16,
        num_ppo_epochs=4,
        max_steps=60,
        max_completion_length=8,
        learning_rate=5e-3,
        kl_coef=0.01,
    )
    logs = trained(trainer)
    rewards = [entry["reward"] for entry in logs if "reward" in entry]
    assert rewards[0] < 0.65
    assert sum(rewards[-3:]) / 3 > 0.8


def test_experts_are_kept_balanced_while_they_learn(make: Make) -> None:
    experts = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16}
    model = Qwen3MoeForCausalLM(Qwen3MoeConfig(**(small().to_dict() | experts | {"model_type": "qwen3_moe"})))
    entry = trained(make(model, router_aux_loss_coef=0.5))[0]
    assert entry["aux_loss"] > 0
    parts = entry["policy_loss"] + 0.1 * entry["value_loss"] + 0.5 * entry["aux_loss"]
    assert entry["loss"] == pytest.approx(parts, rel=1e-4)
    assert entry["approx_kl"] == pytest.approx(0.0, abs=1e-6)


# ---- checkpoints --------------------------------------------------------------------------------------


def steps_after(logs: Logs, step: int) -> Logs:
    """Without times, and without `train_loss`, the mean of the losses since a run was started or
    resumed."""
    later = [entry for entry in logs if entry["step"] > step]
    return [{name: entry[name] for name in entry if not name.endswith(TIMES)} for entry in later]


@pytest.mark.parametrize("adapter", [None, lora()], ids=["full", "lora"])
def test_a_resumed_run_logs_what_an_uninterrupted_one_does(
    make: Make, adapter: LoraConfig | None, tmp_path: Path, prompts: Dataset
) -> None:
    """Rollouts last four steps and epochs eight: from amid a rollout, and from the end of an epoch. The full
    run leaves its rollouts half-way, the other does not."""
    settings: dict[str, Any] = {
        "num_mini_batches": 2,
        "per_device_train_batch_size": 2,
        "max_steps": 14,
        "save_strategy": "steps",
        "save_steps": 2,
        "eval_strategy": "steps",
        "eval_steps": 4,
        "kl_target": 1.0,
        "kl_horizon": 50.0,
        "normalize_scores": True,
        "target_kl": 1e-5,
        "eval_dataset": prompts,
        "others": {"peft_config": adapter},
    }
    whole = trained(make(**settings))
    for step in (6, 8):
        checkpoint = tmp_path / "out" / f"checkpoint-{step}"
        resumed = trained(make(**settings), resume_from_checkpoint=str(checkpoint))
        assert steps_after(resumed, 0) == steps_after(whole, step)
        assert steps_after(resumed, 0)


def test_metrics_not_yet_logged_survive_a_stop(make: Make, tmp_path: Path) -> None:
    settings = {"max_steps": 6, "logging_steps": 3, "save_strategy": "steps", "save_steps": 2}
    whole = trained(make(**settings))
    resumed = trained(make(**settings), resume_from_checkpoint=str(tmp_path / "out" / "checkpoint-2"))
    for name in ("reward", "kl", "approx_kl", "value_loss"):
        assert resumed[0][name] == whole[0][name]


def test_a_run_stops_at_a_step_and_leaves_a_checkpoint(make: Make, tmp_path: Path) -> None:
    trainer = make(listener=Listener(last=3), max_steps=9)
    trainer.train()
    assert trainer.state.global_step == 3
    folder = tmp_path / "out" / "checkpoint-3"
    state = json.loads((folder / "ppo.json").read_text())
    assert state["passes"] == 3
    assert {path.name for path in (folder / "critic").iterdir()} == {"model.safetensors"}
    assert load_file(folder / "rollout-0.safetensors")["order"].numel() == 4


@pytest.mark.parametrize("adapter", [None, lora()], ids=["full", "lora"])
def test_the_saved_model_is_the_policy_alone(make: Make, adapter: LoraConfig | None, tmp_path: Path) -> None:
    trainer = make(others={"peft_config": adapter}, learning_rate=0.01)
    trainer.train()
    trainer.save_model(str(tmp_path / "model"))
    assert not list((tmp_path / "model").rglob("critic*"))
    if adapter is None:
        again: Any = AutoModelForCausalLM.from_pretrained(tmp_path / "model", dtype=torch.float32)
        names = load_file(tmp_path / "model" / "model.safetensors")
    else:
        again = PeftModel.from_pretrained(tiny(), tmp_path / "model")
        names = load_file(tmp_path / "model" / "adapter_model.safetensors")
    assert not [name for name in names if "head." in name and "lm_head" not in name]
    ids = torch.randint(2, 2048, (1, 5))
    torch.testing.assert_close(again.eval()(ids).logits, trainer.model.eval()(ids).logits)


def test_the_policy_may_be_named_by_its_folder(make: Make, tmp_path: Path) -> None:
    tiny().save_pretrained(tmp_path / "start")
    assert "reward" in trained(make(str(tmp_path / "start")))[0]


def test_the_trainer_can_be_carried_along_with_a_script() -> None:
    """It imports what is installed and its own neighbours, nothing of the studio."""
    allowed = {"torch", "transformers", "trl", "peft", "safetensors", *sys.stdlib_module_names}
    for path in Path(worker.trainers.ppo.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                assert {name.name.split(".")[0] for name in node.names} <= allowed
            if isinstance(node, ast.ImportFrom):
                assert node.level == 1 or (node.module or "").split(".")[0] in allowed
