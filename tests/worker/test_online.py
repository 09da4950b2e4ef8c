"""GRPO and its kin: their settings are checked before launch, each trainer gets what makes it that technique,
all they log has a title, and a stopped run goes on exactly where it was."""

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import torch

from studio import techniques
from studio.errors import StudioError
from studio.parameters import validate
from studio.techniques import Technique
from studio.techniques.online import OnlineParameters, answers_per_generation
from tests.worker.online_runs import logs_of, make, prompts

ONLINE = [t for t in techniques.all() if issubclass(t.parameters, OnlineParameters)]

# transformers renamed it in 5.23; TRL 1.16 still asks by the old name.
pytestmark = pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*:FutureWarning")
each = pytest.mark.parametrize("technique", ONLINE, ids=lambda technique: technique.name)


@each
def test_answers_that_make_no_whole_groups_are_refused_with_what_to_change(technique: Technique) -> None:
    with pytest.raises(StudioError) as refusal:
        validate(
            technique.parameters,
            {"per_device_train_batch_size": 9, "gradient_accumulation_steps": 1, "num_generations": 8},
            technique.title,
        )
    assert refusal.value.field == "num_generations"
    assert "9" in refusal.value.message
    assert "multiple of 8 (such as 16)" in refusal.value.hint


@each
def test_what_is_suggested_makes_whole_groups_for_every_size(technique: Technique) -> None:
    for size in (None, 1_000_000, 7_000_000_000):
        for adapter in ("full", "lora"):
            given: Any = technique.parameters(**technique.suggest(adapter, size))
            assert answers_per_generation(given) % given.num_generations == 0


@each
def test_everything_a_training_logs_has_a_title_and_a_meaning(technique: Technique, tmp_path: Path) -> None:
    trainer = make(technique.name, tmp_path, held_out=prompts(4), eval_steps=1, beta=0.01)
    trainer.train()
    logged = {key for log in trainer.state.log_history for key in log} - {"step", "epoch"}
    unknown = {
        key
        for key in logged
        if not any(fnmatchcase(key.removeprefix("eval_"), info.key) for info in technique.metrics)
        and not key.startswith(("train_", "eval_runtime", "eval_samples", "eval_steps", "total_flos"))
    }
    assert not unknown
    assert technique.best_by[0] in logged
    wanted = {"reward", "reward_std", "frac_reward_zero_std", "entropy", "clip_ratio/region_mean"}
    assert wanted | {"completions/mean_length", "completions/clipped_ratio"} <= logged
    assert "eval_frac_reward_zero_std" not in logged  # groups of one answer: 1, whatever the model does
    if "beta" in technique.parameters.model_fields:
        assert "kl" in logged


def _trained_on(trainer: Any) -> list[dict[str, Any]]:
    """Wraps the trainer so that it keeps its batches and their rewards."""
    kept: list[dict[str, Any]] = []
    prepare, grade = trainer._generate_and_score_completions, trainer._calculate_rewards
    rewards: list[torch.Tensor] = []

    def graded(*given: Any) -> torch.Tensor:
        rewards.append(grade(*given))
        return rewards[-1]

    def prepared(inputs: Any) -> dict[str, Any]:
        made = prepare(inputs)
        kept.append({**made, "rewards": rewards[-1][:, 0]})
        return made

    trainer._generate_and_score_completions, trainer._calculate_rewards = prepared, graded
    return kept


@pytest.mark.parametrize("name", ["grpo", "dr_grpo", "gspo", "rloo"])
def test_advantages_follow_the_paper(name: str, tmp_path: Path) -> None:
    trainer = make(name, tmp_path, beta=0.0)
    kept = _trained_on(trainer)
    trainer.train()
    for batch in kept:
        rewards = batch["rewards"].view(-1, 4)
        centred = rewards - rewards.mean(dim=1, keepdim=True)
        wanted = {
            "dr_grpo": centred,  # arXiv 2503.20783, eq. 3: no division
            "rloo": centred * 4 / 3,  # arXiv 2402.14740, eq. 8: the mean of the other three
        }.get(name, centred / (rewards.std(dim=1, keepdim=True) + 1e-4))
        assert torch.allclose(batch["advantages"], wanted.flatten(), atol=1e-5)


def test_the_loss_of_dr_grpo_divides_by_a_constant(tmp_path: Path) -> None:
    trainer = make("dr_grpo", tmp_path)
    kept = _trained_on(trainer)
    trainer.train()
    batch, log = kept[0], logs_of(trainer)[0]
    # On fresh answers the ratio is 1: minus the advantages of all tokens, over answers × longest length.
    wanted = -(batch["advantages"] * batch["completion_mask"].sum(dim=1)).sum() / (8 * 6)
    assert log["loss"] == pytest.approx(wanted.item(), abs=1e-6)


@pytest.mark.parametrize("name", ["grpo", "rloo"])
def test_a_run_stopped_between_two_updates_on_the_same_answers_goes_on_as_if_it_had_not(
    name: str, tmp_path: Path
) -> None:
    how: dict[str, Any] = {
        "updates_per_generation": 2,
        "num_iterations": 2,
        "gradient_accumulation_steps": 2,
        "per_device_train_batch_size": 4,
        "max_steps": 6,
        "beta": 0.0,
        "save_strategy": "steps",
        "save_steps": 3,
    }
    whole = make(name, tmp_path / "whole", **how)
    whole.train()
    again = make(name, tmp_path / "again", **how)
    kept = _trained_on(again)
    again.train(resume_from_checkpoint=str(tmp_path / "whole" / "checkpoint-3"))
    assert len(kept) == 1  # the fourth update used answers from the checkpoint
    assert logs_of(again, after=3) == logs_of(whole, after=3)
