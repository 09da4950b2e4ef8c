"""The preference techniques train from a real order, show what they promise, and are their papers' losses."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from studio import techniques
from studio.errors import StudioError
from studio.parameters import validate
from studio.techniques import Technique
from tests.worker.preference_runs import SMALL, batch_of, logged, run, sample, settings_of, trainer_of
from worker.trainers.kto import HIGHEST, LOWEST, KTOConfig, balanced

# transformers renamed it in 5.23; TRL 1.16 still asks by the old name.
pytestmark = pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*:FutureWarning")

FAMILY = [technique for technique in techniques.all() if technique.group == "Preference"]
each = pytest.mark.parametrize("technique", FAMILY, ids=lambda technique: technique.name)


@each
@pytest.mark.parametrize("adapter", ["full", "lora"])
def test_it_trains_and_its_charts_are_live_and_named(
    technique: Technique, adapter: str, tmp_path: Path
) -> None:
    shape = technique.shapes[0]
    rows = sample("thumbs" if shape == "labelled" else "preference", 12)
    held_out = ("preference", sample("preference", 16)[12:])
    order, said = run(technique.name, tmp_path, rows, shape, adapter=adapter, held_out=held_out)
    metrics = logged(said)
    assert len(metrics["loss"]) == 2
    assert {
        "rewards/margins",
        "rewards/accuracies",
        "eval_rewards/margins",
        "eval_rewards/accuracies",
    } <= set(metrics)
    assert {key.removeprefix("eval_") for key in metrics} <= {
        info.key.removeprefix("eval_") for info in technique.metrics
    }
    assert technique.best_by[0] in metrics
    made = {path.name for path in order.result.iterdir()}
    assert ("adapter_config.json" if adapter == "lora" else "model.safetensors") in made
    assert not [name for name in made if name.endswith((".bin", ".pt"))]


def test_the_two_rpos_are_told_apart_and_each_found_by_its_names() -> None:
    relative, iterative = techniques.get("relative_po"), techniques.get("iterative_rpo")
    assert relative.full_name == "Relative Preference Optimization"
    assert iterative.full_name == "Iterative Reasoning Preference Optimization"
    assert "RPO" in relative.aliases
    assert "RPO" in iterative.aliases
    for one, other in ((relative, iterative), (iterative, relative)):
        assert other.full_name in " ".join(one.handbook.split())


# ---- the losses


def log_ratios(trainer: Any, batch: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """log π/π_ref of the chosen and of the rejected answers, worked out without TRL."""
    trainer.model.eval()
    apart = _logps(trainer.model, batch) - _logps(trainer.ref_model, batch)
    return apart.chunk(2)


def _logps(model: Any, batch: dict[str, Any]) -> torch.Tensor:
    with torch.no_grad():
        said = (
            model(batch["input_ids"], attention_mask=batch["attention_mask"]).logits[:, :-1].log_softmax(-1)
        )
    each_token = said.gather(-1, batch["input_ids"][:, 1:, None]).squeeze(-1)
    return (each_token * batch["completion_mask"][:, 1:]).sum(-1)


def moved(trainer: Any) -> Any:
    """The policy, a step away from its reference."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in trainer.model.parameters():
            weight += 0.02 * torch.randn(weight.shape, generator=generator)
    return trainer


def test_dpo_ipo_and_iterative_rpo_are_the_papers_losses(tmp_path: Path) -> None:
    rows = sample("preference", 4)
    trainer = moved(trainer_of("dpo", tmp_path, rows, beta=0.3))
    batch = batch_of(trainer)
    chosen, rejected = log_ratios(trainer, batch)
    with torch.no_grad():
        dpo = trainer.compute_loss(trainer.model, dict(batch))
    torch.testing.assert_close(dpo, -F.logsigmoid(0.3 * (chosen - rejected)).mean(), atol=1e-4, rtol=1e-4)

    trainer.loss_types, trainer.loss_weights = _losses("ipo", beta=0.3)
    lengths = batch["completion_mask"].sum(-1).chunk(2)
    distance = chosen / lengths[0] - rejected / lengths[1]
    with torch.no_grad():
        ipo = trainer.compute_loss(trainer.model, dict(batch))
    torch.testing.assert_close(ipo, ((distance - 1 / 0.6) ** 2).mean(), atol=1e-4, rtol=1e-4)

    trainer.loss_types, trainer.loss_weights = _losses("iterative_rpo", rpo_alpha=0.5)
    tokens = batch["completion_mask"][:4].sum()
    likelihood = -_logps(trainer.model, batch)[:4].sum() / tokens
    with torch.no_grad():
        both = trainer.compute_loss(trainer.model, dict(batch))
    torch.testing.assert_close(both, dpo + 0.5 * likelihood, atol=1e-4, rtol=1e-4)


def _losses(name: str, **given: Any) -> tuple[list[str], list[float]]:
    _, arguments = settings_of(name, "preference", False, **given)
    return arguments["loss_type"], arguments.get("loss_weights", [1.0])


def test_every_loss_of_dpo_gives_a_number_to_descend(tmp_path: Path) -> None:
    trainer = moved(trainer_of("dpo", tmp_path, sample("preference", 4), loss_type="exo_pair", ld_alpha=0.5))
    assert trainer.label_smoothing == 1e-3
    assert trainer.ld_alpha == 0.5
    batch = batch_of(trainer)
    losses = techniques.get("dpo").parameters.model_json_schema()["properties"]["loss_type"]["enum"]
    for loss in losses:
        trainer.loss_types = [loss]
        found = trainer.compute_loss(trainer.model, dict(batch))
        found.backward()
        assert found.isfinite(), loss
    assert len(losses) == 12


def test_smoothing_that_the_loss_would_ignore_is_refused() -> None:
    dpo = techniques.get("dpo").parameters
    dpo(loss_type="robust", label_smoothing=0.1)
    with pytest.raises(StudioError, match="sigmoid") as refusal:
        validate(dpo, {"label_smoothing": 0.1}, "DPO")
    assert refusal.value.field == "label_smoothing"


def test_simpo_is_the_papers_loss(tmp_path: Path) -> None:
    trainer = trainer_of("simpo", tmp_path, sample("preference", 4), beta=2.0, simpo_gamma=0.6)
    losses, good, bad = trainer.cpo_loss(torch.tensor([-0.2, -0.5]), torch.tensor([-0.4, -0.3]))
    wanted = [math.log1p(math.exp(-(2.0 * apart - 0.6))) for apart in (0.2, -0.2)]
    torch.testing.assert_close(losses, torch.tensor(wanted))
    assert (good > bad).tolist() == [True, False]
    assert trainer.cpo_alpha == 0


def test_orpo_is_the_papers_loss(tmp_path: Path) -> None:
    trainer = trainer_of("orpo", tmp_path, sample("preference", 4), beta=0.1)
    good, bad = math.exp(-0.2), math.exp(-0.4)
    losses, *_ = trainer.odds_ratio_loss(torch.tensor([-0.2]), torch.tensor([-0.4]))
    odds = (good / (1 - good)) / (bad / (1 - bad))
    assert losses.item() == pytest.approx(0.1 * math.log(odds / (1 + odds)), abs=1e-5)


# ---- KTO


@pytest.mark.parametrize(
    ("good", "bad", "given", "weights"),
    [
        (100, 100, (0, 0), (1, 1)),  # in the range already
        (120, 100, (0, 0), (1, 1)),
        (100, 1000, (0, 0), (10 * 7 / 6, 1)),  # the rarer kind is lifted into the middle of the range
        (1000, 100, (0, 0), (1, 10 * 6 / 7)),
        (100, 1000, (1, 0), (1, 6 / 70)),  # a given weight stays
        (100, 1000, (0, 2), (20 * 7 / 6, 2)),
        (100, 1000, (1, 1), (1, 1)),  # both given: nothing is derived
        (50, 0, (0, 0), (1, 1)),  # nothing to balance
    ],
)
def test_kto_weights_follow_from_the_label_counts(
    good: int, bad: int, given: tuple[float, float], weights: tuple[float, float]
) -> None:
    found = balanced(good, bad, given)
    assert found == pytest.approx(weights)
    if bad and not all(given):
        assert LOWEST <= found[0] * good / (found[1] * bad) <= HIGHEST


def test_kto_shows_its_weights_in_charts_and_report(tmp_path: Path) -> None:
    rows = sorted(sample("thumbs", 60), key=lambda row: row["label"])
    rows = rows[:12] + rows[-4:]  # twelve bad ones, then four good ones
    _, said = run("kto", tmp_path, rows, "labelled")
    metrics = logged(said)
    lifted = 3 * 7 / 6
    assert metrics["weights/desirable"] == pytest.approx([lifted] * 2)
    assert metrics["weights/undesirable"] == [1, 1]
    report = next(entry["data"] for entry in said if entry["kind"] == "report")["KTO weights"]
    assert (report["good answers"], report["bad answers"]) == (4, 12)
    assert report["desirable weight"] == pytest.approx(lifted, abs=1e-3)
    assert report["ratio"] == pytest.approx(7 / 6, abs=1e-3)


def test_kto_mixes_rows_that_came_sorted(tmp_path: Path) -> None:
    rows = sorted(sample("thumbs", 60), key=lambda row: row["label"])
    trainer = trainer_of("kto", tmp_path, rows, per_device_train_batch_size=20)
    labels = trainer.train_dataset["label"]
    assert all(0 < sum(labels[at : at + 20]) < 20 for at in (0, 20, 40))


def test_kto_counts_an_answer_as_right_when_its_reward_is_on_its_side_of_the_kl(tmp_path: Path) -> None:
    trainer = moved(trainer_of("kto", tmp_path, sample("thumbs", 8), per_device_train_batch_size=8))
    batch = batch_of(trainer)
    trainer.model.train()
    trainer.compute_loss(trainer.model, dict(batch))
    noted = trainer._metrics["train"]
    rewards = trainer.beta * (_logps(trainer.model, batch) - _logps(trainer.ref_model, batch))
    right = (rewards > trainer.beta * noted["kl"][-1]) == batch["label"].bool()
    assert noted["rewards/accuracies"] == [pytest.approx(right.float().mean().item())]


def test_kto_refuses_batches_of_one_in_words() -> None:
    with pytest.raises(StudioError, match="greater than or equal to 2") as refusal:
        validate(techniques.get("kto").parameters, {"per_device_train_batch_size": 1}, "KTO")
    assert "KL" in refusal.value.hint
    with pytest.raises(ValueError, match="at least 2 rows"):
        KTOConfig(output_dir="unused", per_device_train_batch_size=1, bf16=False, use_cpu=True)


def test_a_reference_computed_beforehand_gives_the_same_losses(tmp_path: Path) -> None:
    rows = sample("preference", 8)
    kept = logged(run("dpo", tmp_path / "kept", rows, "preference")[1])
    beforehand = logged(
        run("dpo", tmp_path / "beforehand", rows, "preference", precompute_ref_log_probs=True)[1]
    )
    assert beforehand["loss"] == pytest.approx(kept["loss"], abs=1e-5)


@each
def test_what_is_suggested_guards_against_over_optimisation(technique: Technique) -> None:
    for size in (1_000_000, 7_000_000_000):
        full = technique.parameters(**technique.suggest("full", size))
        part = technique.parameters(**technique.suggest("lora", size))
        assert full.keep_best
        assert full.learning_rate < part.learning_rate  # an adapter takes more
        assert part.learning_rate <= 1e-4 or size < 50_000_000
    assert SMALL["max_steps"] == 2
