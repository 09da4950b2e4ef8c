"""Reward models: from pairs and from ratings; the head comes back with the adapter it was saved with."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from studio import techniques
from tests.worker.preference_runs import STARTER, batch_of, logged, rated, run, sample, trainer_of
from worker.model import load
from worker.order import ModelOrder, Order
from worker.trainers.reward import in_pairs, share_comparable

pytestmark = pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*:FutureWarning")

TECHNIQUE = techniques.get("reward_model")


def answer(prompt: str, completion: str, score: float) -> dict[str, Any]:
    return {"prompt": prompt, "completion": completion, "score": score}


def test_answers_to_the_same_prompt_make_pairs_where_one_is_rated_higher() -> None:
    rows = [answer("p", "a", 3), answer("p", "b", 1), answer("p", "c", 1), answer("q", "d", 9)]
    pairs = [(pair["prompt"], pair["chosen"], pair["rejected"]) for pair in in_pairs(rows)]
    assert pairs == [("p", "a", "b"), ("p", "a", "c")]
    assert share_comparable(rows) == 3 / 4


@pytest.mark.parametrize("adapter", ["full", "lora"])
def test_a_saved_reward_model_scores_as_the_trained_one_did(adapter: str, tmp_path: Path) -> None:
    pairs = sample("preference", 24)
    order, said = run(
        "reward_model",
        tmp_path,
        pairs[:16],
        "preference",
        adapter=adapter,
        held_out=("preference", pairs[16:]),
        max_steps=4,
        eval_steps=4,
        learning_rate=1e-3,
    )
    metrics = logged(said)
    assert {key.removeprefix("eval_") for key in metrics} <= {
        info.key.removeprefix("eval_") for info in TECHNIQUE.metrics
    }
    # The accuracy and mean reward that the run saw last are those of the model that was saved.
    chosen, rejected = (_scores(order, pairs[16:], kind) for kind in ("chosen", "rejected"))
    assert metrics["eval_accuracy"][-1] == pytest.approx((chosen > rejected).float().mean().item())
    assert metrics["eval_margin"][-1] == pytest.approx((chosen - rejected).mean().item(), abs=1e-4)
    assert metrics["eval_mean_reward"][-1] == pytest.approx(
        torch.cat([chosen, rejected]).mean().item(), abs=1e-4
    )
    assert chosen.std() > 0


def _scores(order: Order, pairs: list[dict[str, Any]], kind: str) -> torch.Tensor:
    """The reward of each pair's chosen or rejected answer, by the model as anyone would load it."""
    base = ModelOrder(id=1, name="starter", source=str(STARTER)) if order.peft else None
    torch.manual_seed(99)  # a head that was not saved would come out at random
    model, tokenizer = load(
        ModelOrder(id=2, name="reward", source=str(order.result), base=base), kind="reward"
    )
    found = []
    for pair in pairs:
        ids = tokenizer.apply_chat_template(
            pair["prompt"] + pair[kind], return_dict=False, return_tensors="pt"
        )
        with torch.no_grad():
            found.append(model.eval()(ids).logits.squeeze())
    return torch.stack(found)


def test_ratings_with_several_answers_to_a_prompt_are_compared(tmp_path: Path) -> None:
    _, said = run(
        "reward_model", tmp_path, rated(8, answers=2), "rated", held_out=("rated", rated(4, answers=2))
    )
    report = next(entry["data"] for entry in said if entry["kind"] == "report")["ratings"]
    assert report == {"rows": 16, "learned as": "pairs", "pairs": 8}
    metrics = logged(said)
    assert "rating_error" not in metrics
    assert {"accuracy", "eval_accuracy", "eval_loss"} <= set(metrics)


def test_ratings_with_one_answer_to_a_prompt_are_learned_as_numbers(tmp_path: Path) -> None:
    held_out = ("preference", sample("preference", 12)[8:])
    _, said = run("reward_model", tmp_path, rated(8, answers=1), "rated", held_out=held_out)
    report = next(entry["data"] for entry in said if entry["kind"] == "report")["ratings"]
    assert report["learned as"] == "scores"
    assert (report["mean"], report["standard deviation"]) == (3.5, 1.5)
    metrics = logged(said)
    assert {"rating_error", "mean_reward", "eval_accuracy", "eval_margin"} <= set(metrics)
    assert len(metrics["num_tokens"]) >= 2


def test_the_loss_on_ratings_is_the_squared_error_of_standardised_ones(tmp_path: Path) -> None:
    trainer = trainer_of("reward_model", tmp_path, rated(4, answers=1))
    batch = batch_of(trainer)
    scores = batch["score"].clone()
    with torch.no_grad():
        trainer.model.train()
        loss, outputs = trainer.compute_loss(trainer.model, dict(batch), return_outputs=True)
    rewards = outputs.logits.squeeze(-1)
    wanted = ((rewards - (scores - 3.5) / 1.5) ** 2).mean()
    torch.testing.assert_close(loss, wanted)
    noted = trainer._metrics["train"]
    assert noted["rating_error"] == [pytest.approx(1.5 * math.sqrt(wanted.item()))]
    right = [rewards[i] > rewards[j] for i in range(4) for j in range(4) if scores[i] > scores[j]]
    assert noted["accuracy"] == [pytest.approx(sum(map(bool, right)) / len(right))]


def test_ratings_that_cannot_be_compared_or_do_not_differ_are_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no prompt with two differently rated answers"):
        trainer_of("reward_model", tmp_path, rated(4, answers=1), ratings="pairs")
    with pytest.raises(ValueError, match="All ratings are equal"):
        trainer_of("reward_model", tmp_path, [row | {"score": 1.0} for row in rated(4, answers=1)])


def test_the_pull_towards_zero_can_be_turned_off() -> None:
    settings = TECHNIQUE.parameters(center_rewards_coefficient=0.0).model_dump()
    arguments = TECHNIQUE.trainer_arguments(settings, "preference", measured=False)
    assert arguments["center_rewards_coefficient"] is None
