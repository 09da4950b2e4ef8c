"""Continued pre-training mixes general text in by its share and measures both kinds."""

import json
import math
from pathlib import Path

import pytest
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.running import SAMPLE
from worker import ingredients
from worker.order import DataOrder, Order
from worker.trainers import cpt

STARTER = SAMPLE.parent / "starter-model"


def texts(letter: str, count: int) -> Dataset:
    return Dataset.from_list([{"text": letter * 100} for _ in range(count)])


@pytest.mark.parametrize("share", [0.05, 0.25, 0.5])
def test_general_text_is_the_share_asked_for(share: float) -> None:
    made = "".join(row["text"] for row in cpt.mixed(texts("d", 200), texts("g", 7), share, seed=1))
    assert made.count("d") == 20_000
    assert made.count("g") / len(made) == pytest.approx(share, abs=0.01)


def test_nothing_is_mixed_in_without_a_share_and_the_same_seed_mixes_alike() -> None:
    assert len(cpt.mixed(texts("d", 3), texts("g", 3), 0.0, seed=1)) == 3
    one, other = (list(cpt.mixed(texts("d", 30), texts("g", 9), 0.3, seed=2)) for _ in range(2))
    assert one == other


def test_perplexity_of_both_kinds_is_logged_and_talks_count_as_general_text(tmp_path: Path) -> None:
    rows = [json.loads(line) for line in (SAMPLE / "train.jsonl").read_text().splitlines()[:24]]
    domain = Dataset.from_list([{"text": row["messages"][1]["content"]} for row in rows])
    talks = Dataset.from_list([{"messages": row["messages"]} for row in rows])
    trainer = cpt.CPTTrainer(
        model=AutoModelForCausalLM.from_pretrained(STARTER),
        args=cpt.CPTConfig(
            output_dir=str(tmp_path),
            replay_share=0.3,
            packing=True,
            packing_strategy="wrapped",
            max_length=64,
            max_steps=2,
            per_device_train_batch_size=2,
            logging_steps=1,
            use_cpu=True,
            bf16=False,
            activation_checkpointing=False,
            report_to=[],
            save_strategy="no",
            disable_tqdm=True,
        ),
        train_dataset=domain,
        eval_dataset=domain,
        replay_dataset=talks,
        general_dataset=talks,
        processing_class=AutoTokenizer.from_pretrained(STARTER),
    )
    trainer.train()
    trainer.evaluate()
    logged = {key: value for entry in trainer.state.log_history for key, value in entry.items()}
    for name in ("", "eval_", "eval_general_"):
        assert logged[f"{name}perplexity"] == pytest.approx(math.exp(logged[f"{name}loss"]), rel=1e-6)
    assert "train_perplexity" not in logged


def test_of_general_text_only_as_much_is_measured_as_of_held_out_rows(tmp_path: Path) -> None:
    path = tmp_path / "general.jsonl"
    path.write_text("".join(json.dumps({"text": f"text {number}"}) + "\n" for number in range(50)))
    general = DataOrder(path=path, shape="text", title="general")
    order = Order(
        run_id=1,
        attempt=1,
        kind="train",
        folder=tmp_path,
        spool=tmp_path,
        log=tmp_path,
        models=[],
        technique="cpt",
        reads="text",
        parameters={"eval_rows": 5},
        input_data={"general_dataset": general, "replay_dataset": general},
    )
    found = ingredients.extras(order, tokenizer=None, model=None)
    measured = [row["text"] for row in found["general_dataset"]]
    assert measured == [f"text {number}" for number in range(0, 50, 10)]
    assert len(found["replay_dataset"]) == 50
