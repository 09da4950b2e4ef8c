"""What the worker reads off a trainer: tokens that are learned, rows that are cut off, waiting for data."""

import time
from pathlib import Path
from typing import Any

import pytest

from tests.worker.test_packing import make
from worker.gauges import Gauges


def read(folder: Path, longest: int | None = 1024, **settings: Any) -> dict[str, float]:
    trainer = make(folder, "chat", max_steps=1, **settings)
    gauges = Gauges(longest)
    gauges.watch(trainer)
    trainer.train()
    return gauges.read()


def test_the_share_of_tokens_that_are_learned_is_that_of_the_answers(tmp_path: Path) -> None:
    trainer = make(tmp_path, "chat")
    batch = next(iter(trainer.get_train_dataloader()))
    wanted = (batch["labels"] != -100).sum() / batch["attention_mask"].sum()
    found = read(tmp_path)
    assert found["learned_tokens"] == pytest.approx(float(wanted))
    assert 0.3 < found["learned_tokens"] < 0.9
    assert found["rows_cut"] == 0


def test_learning_prompts_too_is_learning_everything(tmp_path: Path) -> None:
    assert read(tmp_path, loss_on="everything")["learned_tokens"] == 1


def test_rows_that_fill_the_longest_length_are_counted(tmp_path: Path) -> None:
    assert read(tmp_path, 32, max_length=32)["rows_cut"] == 1


def test_waiting_for_rows_is_told_from_training(tmp_path: Path) -> None:
    trainer = make(tmp_path, "chat", max_steps=1)
    fetch = trainer.get_batch_samples

    def slowly(*given: Any) -> Any:
        time.sleep(2)
        return fetch(*given)

    trainer.get_batch_samples = slowly
    gauges, began = Gauges(), time.perf_counter()
    gauges.watch(trainer)
    trainer.train()
    share, passed = gauges.read()["data_wait"], time.perf_counter() - began
    assert 1.9 < share * passed < passed


def test_each_reading_begins_anew(tmp_path: Path) -> None:
    trainer = make(tmp_path, "chat", max_steps=1)
    gauges = Gauges()
    gauges.watch(trainer)
    trainer.train()
    gauges.read()
    assert gauges.read().keys() == {"data_wait"}
