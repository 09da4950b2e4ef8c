"""Relative PO: the contrast matrix by hand, DPO where only the own pair counts, and rows that are no pair."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from tests.worker.preference_runs import batch_of, logged, run, sample, trainer_of
from tests.worker.test_preference import log_ratios, moved
from worker.trainers.relative_po import (
    ContrastCollator,
    RelativePOConfig,
    contrast_weights,
    prompt_embeddings,
    relative_loss,
)

pytestmark = pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*:FutureWarning")


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def test_weights_fall_with_the_cosine_distance_of_the_prompts() -> None:
    chosen = torch.tensor([[2.0, 0.0], [0.0, 1.0]])
    rejected = torch.tensor([[1.0, 0.0], [0.0, 3.0], [-1.0, 0.0]])
    found = contrast_weights(chosen, rejected, temperature=0.5)
    near, aside, away = 1.0, math.exp(-1 / 0.5), math.exp(-2 / 0.5)  # distances 0, 1 and 2
    first, second = near + aside + away, aside + near + aside
    wanted = [[near / first, aside / first, away / first], [aside / second, near / second, aside / second]]
    torch.testing.assert_close(found, torch.tensor(wanted))
    torch.testing.assert_close(found.sum(1), torch.ones(2))


def test_the_loss_is_the_mean_over_the_weighted_contrast_matrix() -> None:
    chosen, rejected = torch.tensor([1.0, -0.5]), torch.tensor([0.2, -1.0])
    weights = torch.tensor([[0.75, 0.25], [0.4, 0.6]])
    contrasts = [[1.0 - 0.2, 1.0 + 1.0], [-0.5 - 0.2, -0.5 + 1.0]]
    wanted = -sum(
        math.log(sigmoid(weights[i, j].item() * 0.1 * contrasts[i][j])) for i in (0, 1) for j in (0, 1)
    )
    assert relative_loss(chosen, rejected, weights, beta=0.1).item() == pytest.approx(wanted / 4, abs=1e-6)


def test_the_matrix_may_have_more_good_answers_than_bad_ones() -> None:
    loss = relative_loss(torch.zeros(3), torch.zeros(2), torch.full((3, 2), 0.5), beta=1.0)
    assert loss.item() == pytest.approx(math.log(2))


def test_with_only_the_own_pair_it_is_dpo() -> None:
    chosen = torch.tensor([1.0, -0.5, 0.3], requires_grad=True)
    rejected = torch.tensor([0.2, -1.0, 0.9])
    relative = relative_loss(chosen, rejected, torch.eye(3), beta=0.2)
    dpo = -F.logsigmoid(0.2 * (chosen - rejected)).mean()
    torch.testing.assert_close(relative, dpo / 3 + math.log(2) * 2 / 3)
    of_relative, of_dpo = (
        torch.autograd.grad(loss, chosen, retain_graph=True)[0] for loss in (relative, dpo)
    )
    torch.testing.assert_close(of_relative, of_dpo / 3)  # the same direction


def test_a_low_temperature_leaves_only_the_own_pair() -> None:
    prompts = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
    torch.testing.assert_close(contrast_weights(prompts, prompts, temperature=1e-3), torch.eye(3))


def test_embeddings_average_the_prompt_and_leave_out_the_answer() -> None:
    hidden = torch.tensor([[[2.0], [4.0], [99.0]], [[6.0], [8.0], [-99.0]]])
    mask = torch.tensor([[1, 1, 0], [1, 1, 0]])
    chosen, rejected = prompt_embeddings(hidden, mask)
    assert (chosen.tolist(), rejected.tolist()) == ([[-2.0]], [[2.0]])  # 3 and 7, less their mean


@pytest.mark.parametrize("weighting", ["similarity", "uniform", "diagonal"])
def test_the_trainer_computes_that_loss_from_its_own_log_ratios(weighting: str, tmp_path: Path) -> None:
    trainer = moved(
        trainer_of("relative_po", tmp_path, sample("preference", 4), weighting=weighting, beta=0.4)
    )
    batch = batch_of(trainer)
    chosen, rejected = log_ratios(trainer, batch)
    trainer.model.train()
    found = trainer.compute_loss(trainer.model, dict(batch))
    weights = {
        "diagonal": torch.eye(4),
        "uniform": torch.full((4, 4), 0.25),
        "similarity": _by_hand(trainer, batch),
    }[weighting]
    torch.testing.assert_close(found, relative_loss(chosen, rejected, weights, 0.4), atol=1e-5, rtol=1e-4)
    own = trainer._metrics["train"]["contrast/own_weight"]
    assert own == [pytest.approx(weights.diagonal().mean().item(), abs=1e-5)]
    found.backward()


def _by_hand(trainer: Any, batch: dict[str, Any]) -> torch.Tensor:
    """The weights, from the reference's hidden states of each prompt alone."""
    means = []
    for ids, answer in zip(batch["input_ids"], batch["completion_mask"], strict=True):
        prompt = ids[: int(answer.argmax())].unsqueeze(0)
        with torch.no_grad():
            means.append(trainer.ref_model.model(prompt).last_hidden_state.mean(1))
    embeddings = torch.cat(means)
    embeddings = embeddings - embeddings.mean(0)
    return contrast_weights(embeddings[:4], embeddings[4:], 0.5)


def test_answers_of_other_prompts_stay_with_their_prompts_in_a_batch() -> None:
    collate = ContrastCollator(pad_token_id=0)
    example = {"prompt_ids": [1, 2], "chosen_ids": [3], "rejected_prompt_ids": [4], "rejected_ids": [5, 6, 7]}
    batch = collate([example])
    assert batch["input_ids"].tolist() == [[1, 2, 3, 0], [4, 5, 6, 7]]
    assert batch["completion_mask"].tolist() == [[0, 0, 1, 0], [0, 1, 1, 1]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 0], [1, 1, 1, 1]]


def test_thumbs_are_contrasted_across_prompts_and_the_rarer_kind_repeated(tmp_path: Path) -> None:
    rows = sorted(sample("thumbs", 40), key=lambda row: row["label"])
    rows = rows[:6] + rows[-2:]  # six bad ones, two good ones
    trainer = trainer_of("relative_po", tmp_path, rows)
    made = trainer.train_dataset
    assert len(made) == 6
    assert len({tuple(ids) for ids in made["chosen_ids"]}) <= 2
    assert len({tuple(ids) for ids in made["rejected_prompt_ids"]}) == 6
    batch = batch_of(trainer)
    assert not torch.equal(*batch["input_ids"].chunk(2))
    assert trainer.compute_loss(trainer.model, dict(batch)).item() == pytest.approx(math.log(2), abs=1e-3)


def test_thumbs_of_one_kind_are_refused_in_words(tmp_path: Path) -> None:
    rows = [row for row in sample("thumbs", 20) if row["label"]]
    with pytest.raises(ValueError, match="all of these are good"):
        trainer_of("relative_po", tmp_path, rows)


def test_thumbs_train_from_an_order_and_pairs_measure(tmp_path: Path) -> None:
    held_out = ("preference", sample("preference", 4))
    _, said = run(
        "relative_po", tmp_path, sample("thumbs", 16), "labelled", adapter="lora", held_out=held_out
    )
    metrics = logged(said)
    assert {"rewards/margins", "eval_rewards/accuracies", "contrast/own_weight", "eval_loss"} <= set(metrics)


def test_an_unknown_weighting_and_a_reference_computed_beforehand_are_refused() -> None:
    machine = {"output_dir": "unused", "bf16": False, "use_cpu": True}
    with pytest.raises(ValueError, match="similarity, uniform, diagonal"):
        RelativePOConfig(weighting="guesses", **machine)
    with pytest.raises(ValueError, match="as it trains"):
        RelativePOConfig(precompute_ref_log_probs=True, **machine)
