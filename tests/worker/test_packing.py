"""Packed rows teach what the same rows teach alone: nothing is read across their borders, and what is not to
be learned stays masked."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, SFTTrainer

from studio import techniques
from tests.running import SAMPLE

STARTER = SAMPLE.parent / "starter-model"
ROWS = [json.loads(line)["messages"] for line in (SAMPLE / "train.jsonl").read_text().splitlines()[:12]]
FORMS: dict[str, list[dict[str, Any]]] = {
    "chat": [{"messages": messages} for messages in ROWS],
    "instruction": [{"prompt": messages[:-1], "completion": messages[-1:]} for messages in ROWS],
}
each = pytest.mark.parametrize("shape", FORMS)


def make(folder: Path, shape: str, **settings: Any) -> SFTTrainer:
    """The trainer as a run of this technique would have it; all rows are one batch."""
    sft = techniques.get("sft")
    given = sft.parameters(**({"per_device_train_batch_size": len(ROWS)} | settings)).model_dump()
    return SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(STARTER, dtype=torch.float32),
        args=SFTConfig(
            **sft.trainer_arguments(given, shape, measured=False),
            output_dir=str(folder),
            use_cpu=True,
            bf16=False,
            activation_checkpointing=False,
            report_to=[],
            disable_tqdm=True,
            save_strategy="no",
            dataloader_pin_memory=False,
        ),
        train_dataset=Dataset.from_list(FORMS[shape]),
        processing_class=AutoTokenizer.from_pretrained(STARTER),
    )


def taken_apart(packed: Dataset) -> list[tuple[list[int], list[int]]]:
    """(tokens, labels) of each row that was packed."""
    found = []
    for row in packed:
        start = 0
        for length in row["seq_lengths"]:
            found.append(tuple(row[name][start : start + length] for name in ("input_ids", "labels")))
            start += length
    return found


@each
def test_the_mask_of_what_is_not_learned_survives_packing(shape: str, tmp_path: Path) -> None:
    alone = make(tmp_path, shape).train_dataset
    packed = make(tmp_path, shape, packing=True, max_length=512).train_dataset
    assert len(packed) < len(alone) == len(ROWS)
    assert sorted(taken_apart(packed)) == sorted(zip(alone["input_ids"], alone["labels"], strict=True))
    for _, labels in taken_apart(packed):
        assert 0 < sum(label == -100 for label in labels) < len(labels)


@each
def test_packed_rows_have_the_loss_of_the_same_rows_alone(shape: str, tmp_path: Path) -> None:
    losses = []
    for settings in ({}, {"packing": True, "max_length": 512}):
        trainer = make(tmp_path, shape, **settings)
        (batch,) = trainer.get_train_dataloader()
        with torch.no_grad():
            losses.append(trainer.compute_loss(trainer.model.eval(), batch).item())
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)


def test_no_token_of_a_packed_row_reads_another_row(tmp_path: Path) -> None:
    trainer = make(tmp_path, "chat", packing=True, max_length=512)
    (batch,) = trainer.get_train_dataloader()
    words, places, model = batch["input_ids"], batch["position_ids"], trainer.model.eval()
    starts = (places[0] == 0).nonzero().flatten().tolist()
    assert len(starts) == len(ROWS)
    with torch.no_grad():
        together = model(input_ids=words, position_ids=places, use_cache=False).logits[0]
        for start, end in zip(starts, [*starts[1:], together.size(0)], strict=True):
            alone = model(input_ids=words[:, start:end]).logits[0]
            torch.testing.assert_close(together[start:end], alone, rtol=1e-4, atol=1e-4)


def test_a_training_on_packed_rows_learns(tmp_path: Path) -> None:
    trainer = make(tmp_path, "chat", packing=True, max_length=512, max_steps=6, learning_rate=1e-3)
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert losses[-1] < losses[0]
