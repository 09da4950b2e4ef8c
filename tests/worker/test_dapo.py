"""DAPO: dynamic sampling refills a batch with groups that teach; the soft overlong punishment follows eq. 13;
a stopped run goes on exactly where it was."""

import json
import math
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer

from worker.trainers.dapo import DAPOConfig, DAPOTrainer, SoftOverlong
from worker.trainers.groups import Answer, Batch, has_spread, weighted
from worker.trainers.prompts import PromptStream

ROOT = Path(__file__).parents[2]
STARTER = ROOT / "examples" / "starter-model"

# transformers renamed it in 5.23; TRL 1.16 still asks by the old name.
pytestmark = pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*:FutureWarning")


# ---- the parts ----------------------------------------------------------------------------------------


def test_the_overlong_punishment_follows_equation_13() -> None:
    punish = SoftOverlong(longest=100, cache=20)
    lengths = [1, 80, 85, 90, 100, 120]
    assert punish(completion_ids=[[7] * n for n in lengths]) == [0.0, 0.0, -0.25, -0.5, -1.0, -1.0]


def test_a_stream_deals_every_row_once_a_pass_and_goes_on_where_it_was(tmp_path: Path) -> None:
    stream = PromptStream(10, seed=3)
    first, second = stream.take(10), stream.take(10)
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second
    stream.take(3)
    stream.save(tmp_path)
    other = PromptStream(10, seed=3)
    other.load(tmp_path)
    assert other.take(12) == stream.take(12)
    assert other.passes == 3.5
    assert PromptStream(4, seed=3, shuffle=False).take(6) == [0, 1, 2, 3, 0, 1]


def _answers(*rewards: float) -> list[Answer]:
    return [Answer({}, (), [reward]) for reward in rewards]


def test_a_batch_keeps_groups_with_spread_and_counts_the_others() -> None:
    batch = Batch(wanted=2, size=2)
    answers = _answers(1, 1, 0, 0, 0, 1)
    rewards = weighted(answers, torch.ones(1), size=2)
    batch.add(
        answers, rewards, has_spread(rewards), right_from=0.5, logged={"completions/mean_length": [4.0]}
    )
    assert (batch.found, batch.missing) == (1, 1)
    assert [answer.rewards for answer in batch.answers()] == [[0], [1], [0], [0]]  # the newest spare group
    more = weighted(_answers(1, 0), torch.ones(1), size=2)
    batch.add(_answers(1, 0), more, has_spread(more), 0.5, {"completions/mean_length": [8.0]})
    assert [answer.rewards for answer in batch.answers()] == [[0], [1], [1], [0]]
    assert batch.figures() == {
        "rounds": 2,
        "generated_per_used": 2.0,
        "filled": 1.0,
        "discarded_correct": 0.25,
        "discarded_wrong": 0.25,
        "reward": 0.5,
    }
    told: dict[str, list[float]] = {"completions/mean_length": []}
    batch.tell(told)
    assert told == {"completions/mean_length": [5.0]}  # three groups of 4, one of 8


def test_answers_that_no_grader_scored_give_no_spread() -> None:
    nothing = math.nan
    assert has_spread(
        torch.tensor([[nothing, nothing], [nothing, 1.0], [1.0, 1.0], [0.0, 1.0]])
    ).tolist() == [
        False,
        False,
        False,
        True,
    ]


# ---- training -----------------------------------------------------------------------------------------


def spoken(prompts: Any, completion_ids: list[list[int]], kind: list[str], **_others: Any) -> list[float]:
    """Easy prompts are always right, hopeless ones never; of the others about every second answer."""
    fixed = {"easy": 1.0, "hopeless": 0.0}
    return [fixed.get(k, float(sum(ids) % 2 == 0)) for k, ids in zip(kind, completion_ids, strict=True)]


def rows_of(*kinds: str) -> Dataset:
    words = ("take two tablets", "one puff daily", "use 3 drops in the left eye every day for two weeks")
    return Dataset.from_list(
        [
            {"prompt": [{"role": "user", "content": f"{words[at % 3]} {at}"}], "kind": kind, "number": at}
            for at, kind in enumerate(kinds)
        ]
    )


class Recording(DAPOTrainer):
    """Keeps what it trained on."""

    def __init__(self, **given: Any):
        self.batches: list[dict[str, Any]] = []
        super().__init__(**given)

    def _generate_and_score_completions(self, inputs: Any) -> dict[str, Any]:
        made = super()._generate_and_score_completions(inputs)
        if self.model.training:
            self.batches.append({**made, "numbers": [row["number"] for row in self.trained_rows]})
        return made

    def _joined(self, count: int) -> tuple[Any, ...]:
        self.trained_rows = [answer.row for answer in self._batch or []]
        return super()._joined(count)


def make(folder: Path, rows: Dataset, **given: Any) -> Recording:
    extra = {
        name: given.pop(name)
        for name in ("rollout_func", "environment_factory", "reward_funcs")
        if name in given
    }
    settings: dict[str, Any] = {
        "output_dir": str(folder),
        "per_device_train_batch_size": 8,
        "num_generations": 4,
        "max_completion_length": 6,
        "max_steps": 2,
        "learning_rate": 1e-5,  # it shall not learn the trick while it is watched
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": [],
        "disable_tqdm": True,
        "use_cpu": True,
        "bf16": False,
        "activation_checkpointing": False,
        "dataloader_pin_memory": False,
    } | given
    return Recording(
        model=AutoModelForCausalLM.from_pretrained(STARTER, dtype=torch.float32),
        args=DAPOConfig(**settings),
        train_dataset=rows,
        processing_class=AutoTokenizer.from_pretrained(STARTER),
        **({"reward_funcs": [spoken]} | extra),
    )


def logs_of(trainer: DAPOTrainer) -> list[dict[str, Any]]:
    return [entry for entry in trainer.state.log_history if "reward" in entry]


MIXED = ("easy", "hopeless", "mixed", "easy", "mixed", "hopeless", "mixed", "mixed") * 3


def test_the_batch_is_refilled_until_every_group_teaches(tmp_path: Path) -> None:
    rows = rows_of(*MIXED)
    trainer = make(tmp_path, rows)
    trainer.train()
    for log in logs_of(trainer):
        assert log["frac_reward_zero_std"] == 0
        assert log["dynamic_sampling/filled"] == 1
        assert 0 < log["reward"] < 1
        assert log["dynamic_sampling/generated_per_used"] >= 1
    assert sum(log["dynamic_sampling/discarded_correct"] for log in logs_of(trainer)) > 0
    assert sum(log["dynamic_sampling/discarded_wrong"] for log in logs_of(trainer)) > 0
    assert {rows[number]["kind"] for batch in trainer.batches for number in batch["numbers"]} == {"mixed"}
    assert list(trainer._logs["rewards"]) == ["spoken"]
    assert {prompt[0]["content"] for prompt in trainer._logs["prompt"]} <= {
        row["prompt"][0]["content"] for row in rows if row["kind"] == "mixed"
    }


def test_the_refilled_batch_is_padded_counted_and_scored_as_one(tmp_path: Path) -> None:
    trainer = make(tmp_path, rows_of(*MIXED), max_steps=1)
    trainer.train()
    (batch,) = trainer.batches
    assert len(batch["completion_ids"]) == 8
    assert len({tuple(batch["numbers"][at : at + 4]) for at in (0, 4)}) == 2
    for ids, mask in zip(batch["prompt_ids"], batch["prompt_mask"], strict=True):
        assert mask.tolist() == sorted(mask.tolist())  # prompts are padded on the left
        assert not (mask == 0).any() or (ids[mask == 0] == trainer._tokenizer.pad_token_id).all()
    for mask in batch["completion_mask"]:
        assert mask.tolist() == sorted(mask.tolist(), reverse=True)  # completions on the right
    assert batch["num_items_in_batch"] == batch["completion_mask"].sum()
    advantages = batch["advantages"].view(2, 4)
    assert torch.allclose(advantages.sum(dim=1), torch.zeros(2), atol=1e-5)
    assert (advantages.abs().max(dim=1).values > 0).all()
    # The same rewards that the answers get when they are graded again.
    for row, ids, mask, advantage in zip(
        batch["numbers"], batch["completion_ids"], batch["completion_mask"], batch["advantages"], strict=True
    ):
        right = spoken(None, [ids[mask.bool()].tolist()], [trainer.train_dataset[row]["kind"]])[0]
        assert (advantage > 0) == bool(right)


def test_when_the_rounds_are_used_up_it_says_so_and_trains_on_what_there_is(tmp_path: Path) -> None:
    trainer = make(tmp_path, rows_of(*["hopeless"] * 6), max_resample_rounds=2, max_steps=1)
    trainer.train()
    (log,) = logs_of(trainer)
    assert log["dynamic_sampling/rounds"] == 3
    assert log["dynamic_sampling/filled"] == 0
    assert log["dynamic_sampling/discarded_wrong"] == 1
    assert log["dynamic_sampling/passes"] == 1.0  # three rounds of two prompts, six rows
    assert log["frac_reward_zero_std"] == 1
    assert log["grad_norm"] == 0
    assert len(trainer.batches[0]["completion_ids"]) == 8


def test_it_refills_for_mini_batches_accumulation_and_several_updates(tmp_path: Path) -> None:
    trainer = make(
        tmp_path,
        rows_of(*MIXED),
        per_device_train_batch_size=4,
        gradient_accumulation_steps=2,
        steps_per_generation=4,
        num_iterations=2,
        max_steps=8,
    )
    trainer.train()
    # Four steps of two batches use one generation of 16 answers twice; eight steps use two generations.
    assert [len(batch["completion_ids"]) for batch in trainer.batches] == [16, 16]
    assert all("old_per_token_logps" in batch for batch in trainer.batches)
    # frac_reward_zero_std is logged once a generation
    found = [
        log["frac_reward_zero_std"] for log in trainer.state.log_history if "frac_reward_zero_std" in log
    ]
    assert found == [0, 0]


def test_without_dynamic_sampling_it_trains_on_what_the_dataloader_deals(tmp_path: Path) -> None:
    trainer = make(tmp_path, rows_of(*["hopeless"] * 6), dynamic_sampling=False, max_steps=1)
    trainer.batches = []
    trainer.trained_rows = []
    trainer.train()
    (log,) = logs_of(trainer)
    assert not [key for key in log if key.startswith("dynamic_sampling")]
    assert log["frac_reward_zero_std"] == 1


def test_the_overlong_punishment_is_a_part_of_the_reward_of_its_own(tmp_path: Path) -> None:
    trainer = make(tmp_path, rows_of(*MIXED), soft_overlong_cache=4, soft_overlong_weight=0.5, max_steps=1)
    trainer.train()
    (log,) = logs_of(trainer)
    lengths = trainer.batches[0]["completion_mask"].sum(dim=1).tolist()
    expected = sum(max(-1.0, min(0.0, (2 - length) / 4)) for length in lengths) / len(lengths)
    assert log["rewards/soft_overlong/mean"] == pytest.approx(expected, abs=1e-6)
    assert log["reward"] == pytest.approx(log["rewards/spoken/mean"] + 0.5 * expected, abs=1e-6)
    # Length alone does not make a group worth training on.
    kinds = {trainer.train_dataset[number]["kind"] for number in trainer.batches[0]["numbers"]}
    assert kinds == {"mixed"}


def test_an_overlong_zone_longer_than_an_answer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="soft_overlong_cache"):
        DAPOConfig(
            output_dir=str(tmp_path), max_completion_length=8, soft_overlong_cache=9, use_cpu=True, bf16=False
        )


def test_tokens_that_a_tool_wrote_stay_out_of_the_loss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")
    sizes = iter(range(100_000))

    def with_tool(prompts: list[Any], trainer: Any) -> dict[str, Any]:
        """Three tokens of the model's, two of a tool, and one that decides the reward."""
        prompt_ids = trainer._tokenizer.apply_chat_template(
            prompts, tokenize=True, add_generation_prompt=True, return_dict=True
        )["input_ids"]
        made = [[9, 9, 9, 5, 5, 10 + next(sizes) % 2] for _ in prompts]
        return {
            "prompt_ids": prompt_ids,
            "completion_ids": made,
            "logprobs": [[0.0] * 6 for _ in prompts],
            "env_mask": [[1, 1, 1, 0, 0, 1] for _ in prompts],
            "remark": [f"said {ids[-1]}" for ids in made],
        }

    trainer = make(tmp_path, rows_of(*MIXED), rollout_func=with_tool, max_steps=1)
    trainer.train()
    (batch,) = trainer.batches
    assert batch["tool_mask"].tolist() == [[1, 1, 1, 0, 0, 1]] * 8
    assert batch["num_items_in_batch"] == 8 * 4
    assert {row["remark"] for row in trainer.trained_rows} == {"said 10", "said 11"}


class Coin:
    """An environment that adds to the prompt, offers a tool, and rewards every second answer."""

    begun = 0

    def reset(self, **row: Any) -> str:
        Coin.begun += 1
        self.turn = Coin.begun
        return f" flip {self.turn}"

    def flip(self) -> str:
        """Flips the coin.

        Returns:
            Heads or tails.
        """
        return "heads"

    def get_reward(self) -> float:
        return float(self.turn % 2)


def test_environments_are_begun_once_for_each_answer_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")
    monkeypatch.setattr(Coin, "begun", 0)
    rows = rows_of(*["easy"] * 8)
    trainer = make(tmp_path, rows, environment_factory=Coin, reward_funcs=[], max_steps=1)
    trainer.train()
    (log,) = logs_of(trainer)
    assert log["dynamic_sampling/filled"] == 1
    assert Coin.begun == 8 * log["dynamic_sampling/generated_per_used"]
    assert log["rewards/Coin/mean"] == 0.5
    assert all(" flip " in prompt[-1]["content"] for prompt in trainer._logs["prompt"])
    assert "tool_mask" in trainer.batches[0]


def test_columns_that_a_reward_function_logs_belong_to_the_answers_that_stayed(tmp_path: Path) -> None:
    def telling(kind: list[str], completion_ids: Any, log_extra: Callable, **others: Any) -> list[float]:
        log_extra("kind", list(kind))
        return spoken(None, completion_ids, kind)

    trainer = make(tmp_path, rows_of(*MIXED), max_steps=1)
    trainer.reward_funcs = [telling]
    trainer.train()
    assert list(trainer._logs["extra"]["kind"]) == ["mixed"] * 8


def _stripped(logs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in log.items() if "time" not in key} for log in logs]


def test_a_run_stopped_between_two_updates_on_the_same_answers_goes_on_as_if_it_had_not(
    tmp_path: Path,
) -> None:
    how: dict[str, Any] = {
        "per_device_train_batch_size": 4,
        "steps_per_generation": 4,
        "max_steps": 6,
        "save_strategy": "steps",
        "save_steps": 3,
        "lr_scheduler_type": "constant",
    }
    whole = make(tmp_path / "whole", rows_of(*MIXED), **how)
    whole.train()
    again = make(tmp_path / "again", rows_of(*MIXED), **how)
    again.train(resume_from_checkpoint=str(tmp_path / "whole" / "checkpoint-3"))
    assert len(again.batches) == 1  # the answers of the first generation came from the checkpoint
    wanted = _stripped([log for log in whole.state.log_history if log["step"] > 3 and "loss" in log])
    found = _stripped([log for log in again.state.log_history if log["step"] > 3 and "loss" in log])
    assert found == wanted
    kept = {path.suffix for path in (tmp_path / "whole" / "checkpoint-3").glob("rollouts-*")}
    assert kept == {".json", ".safetensors"}


# ---- several processes --------------------------------------------------------------------------------


def _two_processes(folder: Path) -> None:
    """What each of two processes runs; writes what it trained on."""
    trainer = make(folder, rows_of(*MIXED), per_device_train_batch_size=6, soft_overlong_cache=2)
    trainer.train()
    rank = trainer.accelerator.process_index
    (folder / f"{rank}.json").write_text(
        json.dumps(
            {
                "logs": logs_of(trainer),
                "completions": [batch["completion_ids"].tolist() for batch in trainer.batches],
                "advantages": [batch["advantages"].tolist() for batch in trainer.batches],
                "numbers": [batch["numbers"] for batch in trainer.batches],
                "items": [int(batch["num_items_in_batch"]) for batch in trainer.batches],
                "tokens": [int(batch["completion_mask"].sum()) for batch in trainer.batches],
            }
        )
    )


def test_two_processes_fill_one_batch_together(tmp_path: Path) -> None:
    """Six answers each, groups of four: the second group lies in both."""
    program = (
        "import sys, pathlib; from tests.worker import test_dapo as t; "
        "t._two_processes(pathlib.Path(sys.argv[1]))"
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    started = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", program, str(tmp_path)],
            cwd=ROOT,
            env={
                **os.environ,
                "RANK": str(rank),
                "LOCAL_RANK": str(rank),
                "WORLD_SIZE": "2",
                "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": str(port),
                "OMP_NUM_THREADS": "1",
            },
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )
        for rank in (0, 1)
    ]
    errors = [process.communicate(timeout=240)[1].decode()[-3000:] for process in started]
    assert [process.returncode for process in started] == [0, 0], errors
    one, two = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1))
    assert one["numbers"] == two["numbers"]  # both know the whole batch
    for at, numbers in enumerate(one["numbers"]):
        assert [len(set(numbers[start : start + 4])) for start in (0, 4, 8)] == [1, 1, 1]
        together = one["advantages"][at] + two["advantages"][at]
        for start in (0, 4, 8):
            group = together[start : start + 4]
            assert sum(group) == pytest.approx(0, abs=1e-4)
            assert max(group) > 0
        assert one["items"][at] == two["items"][at] == one["tokens"][at] + two["tokens"][at]
    assert all(log["frac_reward_zero_std"] == 0 for log in one["logs"])
