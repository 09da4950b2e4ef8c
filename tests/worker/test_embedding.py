"""Embedding tuning: it ranks better, resumes exactly, and what it saves runs without the studio."""

import json
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from peft import LoraConfig
from sentence_transformers import SentenceTransformer
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback, set_seed

from worker import model as models
from worker.order import ModelOrder
from worker.trainers import embedding
from worker.trainers.embedding import EmbeddingConfig, EmbeddingTrainer, Ranking

ROOT = Path(__file__).parents[2]
STARTER = ROOT / "examples" / "starter-model"
SHORT: dict[str, Any] = {
    "max_steps": 6,
    "per_device_train_batch_size": 8,
    "per_device_eval_batch_size": 32,
    "learning_rate": 1e-3,
    "hard_negatives": 2,
    "max_length": 64,
    "logging_steps": 1,
    "save_strategy": "steps",
    "save_steps": 3,
    "eval_strategy": "no",
    "lr_scheduler_type": "constant",
    "use_cpu": True,
    "report_to": [],
    "disable_tqdm": True,
}
torch.set_num_threads(1)  # more spin against each other on so small a model
LORA = {"r": 8, "lora_alpha": 16, "target_modules": "all-linear"}


def read(name: str, count: int) -> Dataset:
    lines = (ROOT / "examples" / "direction_search" / f"{name}.jsonl").read_text().splitlines()
    return Dataset.from_list([json.loads(line) for line in islice(lines, count)])


def make(
    folder: Path,
    *,
    lora: bool = False,
    rows: Dataset | None = None,
    held_out: Dataset | None = None,
    **settings: Any,
) -> Any:
    set_seed(1)
    return EmbeddingTrainer(
        model=AutoModelForCausalLM.from_pretrained(STARTER),
        args=EmbeddingConfig(output_dir=str(folder), **(SHORT | settings)),
        train_dataset=rows or read("train", 64),
        eval_dataset=held_out,
        processing_class=AutoTokenizer.from_pretrained(STARTER),
        peft_config=LoraConfig(**LORA) if lora else None,
    )


def losses(trainer: Any) -> list[float]:
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def test_a_short_training_finds_more_than_the_untuned_model(tmp_path: Path) -> None:
    trainer = make(
        tmp_path,
        held_out=read("test", 60),
        max_steps=16,
        per_device_train_batch_size=16,
        eval_strategy="steps",
        eval_steps=8,
        eval_on_start=True,
        save_strategy="no",
    )
    trainer.train()
    looks = [entry for entry in trainer.state.log_history if "eval_mrr" in entry]
    assert [entry["step"] for entry in looks] == [0, 8, 16]
    assert looks[-1]["eval_recall_at_5"] > looks[0]["eval_recall_at_5"] + 0.2
    assert all(0 <= looks[-1][f"eval_recall_at_{k}"] <= 1 for k in (1, 5, 10))


@pytest.mark.parametrize("lora", [False, True], ids=["full", "lora"])
def test_a_resumed_training_goes_on_as_if_nothing_had_happened(tmp_path: Path, lora: bool) -> None:
    whole = make(tmp_path / "whole", lora=lora)
    whole.train()
    first = make(tmp_path / "parts", lora=lora)
    first.add_callback(StopAt(3))
    first.train()
    second = make(tmp_path / "parts", lora=lora)
    second.train(resume_from_checkpoint=str(tmp_path / "parts" / "checkpoint-3"))
    assert losses(second)[-3:] == losses(whole)[-3:]
    assert not list((tmp_path / "whole").rglob("*.bin"))


class StopAt(TrainerCallback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        control.should_training_stop = state.global_step == self.step


def test_the_saved_folder_embeds_the_same_in_a_program_that_knows_no_studio(tmp_path: Path) -> None:
    trainer = make(tmp_path, save_strategy="no", max_steps=2, query_prompt="find: ", passage_prompt="list: ")
    trainer.train()
    trainer.save_model(str(tmp_path / "model"))
    program = (
        "import sys; from sentence_transformers import SentenceTransformer;"
        "model = SentenceTransformer(sys.argv[1], device='cpu');"
        "print(model.encode_query('take two tablets')[:4].tolist(), model.prompts, 'worker' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", program, str(tmp_path / "model")],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    vector, prompts, knows_studio = done.stdout.strip().rsplit("]", 1)[0] + "]", "find: ", "False"
    assert json.loads(vector) == pytest.approx(
        trainer.model.encode_query("take two tablets")[:4].tolist(), abs=1e-5
    )
    assert prompts in done.stdout
    assert "list: " in done.stdout
    assert done.stdout.strip().endswith(knows_studio)


def test_an_adapter_is_saved_alone_and_found_again_with_its_base(tmp_path: Path) -> None:
    trainer = make(tmp_path, lora=True, save_strategy="no", max_steps=3, pooling="lasttoken")
    assert all("lora" in name for name, value in trainer.model.named_parameters() if value.requires_grad)
    trainer.train()
    folder = tmp_path / "model"
    trainer.save_model(str(folder))
    assert not (folder / "model.safetensors").exists()
    wanted = trainer.model.encode("take two tablets")
    assert SentenceTransformer(str(folder), device="cpu").encode("take two tablets") == pytest.approx(
        wanted, abs=1e-5
    )
    # The studio merges it when another training starts from it; the pooling stays.
    base = ModelOrder(id=1, name="starter", source=str(STARTER))
    order = ModelOrder(id=2, name="tuned", source=str(folder), base=base, kind="embedding")
    trainer.processing_class.save_pretrained(folder)
    merged, tokenizer = models.load(order, kind="embedding")
    again = embedding.embed_with(merged, EmbeddingConfig(output_dir=str(tmp_path), use_cpu=True), tokenizer)
    assert again[1].pooling_mode == "lasttoken"
    assert again.encode("take two tablets") == pytest.approx(wanted, abs=1e-5)


def test_cached_gradients_are_the_gradients_of_the_whole_batch(tmp_path: Path) -> None:
    plain, cached = (make(tmp_path, save_strategy="no", cached_rows=rows) for rows in (0, 3))
    plain.train()
    cached.train()
    assert losses(cached) == pytest.approx(losses(plain), rel=1e-3)


def test_no_text_occurs_twice_in_a_batch(tmp_path: Path) -> None:
    rows = Dataset.from_list(
        [{"query": f"take {n} tablets", "positive": f"{n % 5} tablets", "negatives": []} for n in range(40)]
    )
    trainer = make(tmp_path, rows=rows)
    sampler = trainer.get_batch_sampler(trainer.train_dataset, 4, False, seed=1)
    for batch in sampler:
        texts = [trainer.train_dataset[number][name] for number in batch for name in ("query", "positive")]
        assert len(set(texts)) == len(texts)


def test_every_row_has_as_many_negatives_as_the_row_with_most_and_never_its_own_passage() -> None:
    rows = Dataset.from_list(
        [
            {"query": "a", "positive": "A", "negatives": ["x", "y", "z"]},
            {"query": "b", "positive": "B", "negatives": []},
            {"query": "c", "positive": "C", "negatives": ["x"]},
        ]
    )
    assert embedding.most_negatives(rows, 2) == 2
    assert embedding.most_negatives(rows, 9) == 3
    made = embedding.columns(rows, 2, seed=1)
    assert made.column_names == ["query", "positive", "negative_1", "negative_2"]
    assert made[0] == {"query": "a", "positive": "A", "negative_1": "x", "negative_2": "y"}
    assert made[2]["negative_1"] == "x"
    for row in made:
        assert row["positive"] not in (row["negative_1"], row["negative_2"])
    assert embedding.columns(rows, 2, seed=1).to_list() == made.to_list()


def test_no_right_passage_of_a_query_is_drawn_as_a_negative_for_it() -> None:
    rows = Dataset.from_list(
        [
            *({"query": "a", "positive": f"A{number}", "negatives": []} for number in range(9)),
            {"query": "b", "positive": "B", "negatives": []},
        ]
    )
    made = embedding.columns(rows, 3, seed=1)
    drawn = {row[f"negative_{number}"] for row in made if row["query"] == "a" for number in (1, 2, 3)}
    assert drawn == {"B"}


def test_rows_that_all_have_one_passage_teach_nothing_and_are_refused() -> None:
    rows = Dataset.from_list([{"query": word, "positive": "same", "negatives": []} for word in "ab"])
    with pytest.raises(ValueError, match="belong to one query"):
        embedding.columns(rows, 1, seed=1)


class Fixed:
    """Stands for a model: every text has its vector."""

    def __init__(self, vectors: dict[str, list[float]]) -> None:
        self.vectors = vectors

    def encode_query(self, texts: list[str], **_: Any) -> torch.Tensor:
        return torch.tensor([self.vectors[text] for text in texts])

    encode_document = encode_query


def test_recall_and_reciprocal_rank_are_counted_by_hand() -> None:
    rows = Dataset.from_list(
        [
            {"query": "q", "positive": "first", "negatives": ["second"]},
            {"query": "q", "positive": "third", "negatives": []},
            {"query": "r", "positive": "second", "negatives": ["first"]},
        ]
    )
    vectors = {
        "first": [1.0, 0.0],
        "second": [0.8, 0.6],
        "third": [0.0, 1.0],
        "q": [1.0, 0.0],
        "r": [1.0, 0.0],
    }
    found = Ranking(rows, 8)(Fixed(vectors))  # type: ignore[arg-type]
    assert found["recall_at_1"] == pytest.approx((0.5 + 0) / 2)  # q has two passages, one of them first
    assert found["recall_at_5"] == 1.0
    assert found["mrr"] == pytest.approx((1 + 1 / 2) / 2)


def test_a_model_that_says_the_same_of_everything_finds_nothing() -> None:
    texts = [f"text {number}" for number in range(30)]
    rows = Dataset.from_list([{"query": text, "positive": text.upper(), "negatives": []} for text in texts])
    same = {text: [1.0] for row in rows for text in (row["query"], row["positive"])}
    assert set(Ranking(rows, 8)(Fixed(same)).values()) == {0.0}  # type: ignore[arg-type]
