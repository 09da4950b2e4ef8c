"""Small trainings of the preference techniques and the reward model, as a technique's file orders them: whole
runs from an order, or a trainer to look into."""

import json
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import AutoTokenizer

from studio import adapters, techniques
from worker import dispatch, train
from worker.ingredients import resolve
from worker.model import load
from worker.order import DataOrder, ModelOrder, Order

ROOT = Path(__file__).parents[2]
STARTER = ROOT / "examples" / "starter-model"
SAMPLE = ROOT / "examples" / "medication_directions"
SMALL: dict[str, Any] = {
    "per_device_train_batch_size": 4,
    "max_steps": 2,
    "max_length": 128,
    "learning_rate": 1e-4,
    "warmup_ratio": 0.0,
    "sample_prompts": 0,
    "eval_steps": 2,
}


def sample(name: str, count: int) -> list[dict[str, Any]]:
    lines = (SAMPLE / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()[:count]
    return [json.loads(line) for line in lines]


def rated(prompts: int, answers: int) -> list[dict[str, Any]]:
    """Rated rows with one or two answers to each prompt, made of the sample's pairs: right ones get 5, wrong
    ones 2; with one answer a prompt, every second is wrong."""
    rows = []
    for at, pair in enumerate(sample("preference", prompts)):
        both = [
            {"prompt": pair["prompt"], "completion": pair["chosen"], "score": 5.0},
            {"prompt": pair["prompt"], "completion": pair["rejected"], "score": 2.0},
        ]
        rows += both if answers == 2 else [both[at % 2]]
    return rows


def settings_of(name: str, shape: str, measured: bool, **given: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The validated settings and the trainer's arguments that follow from them."""
    technique = techniques.get(name)
    settings = technique.parameters(**(SMALL | given)).model_dump()
    return settings, technique.trainer_arguments(settings, shape, measured=measured)


def trainer_of(
    name: str,
    folder: Path,
    rows: list[dict[str, Any]],
    held_out: list[dict[str, Any]] | None = None,
    **given: Any,
) -> Any:
    """The technique's trainer on the starter model, not yet trained."""
    technique = techniques.get(name)
    _, arguments = settings_of(name, "preference", held_out is not None, **given)
    machine = {
        "output_dir": str(folder),
        "report_to": [],
        "disable_tqdm": True,
        "use_cpu": True,
        "bf16": False,
        "activation_checkpointing": False,
        "dataloader_pin_memory": False,
    }
    torch.manual_seed(0)
    model, _ = load(ModelOrder(id=1, name="starter", source=str(STARTER)), kind=technique.model)
    return resolve(technique.trainer)(
        model=model,
        args=resolve(technique.config)(**(machine | arguments)),
        train_dataset=Dataset.from_list(rows),
        eval_dataset=None if held_out is None else Dataset.from_list(held_out),
        processing_class=AutoTokenizer.from_pretrained(STARTER),
    )


def batch_of(trainer: Any) -> dict[str, Any]:
    """The first batch it would train on."""
    return trainer._prepare_inputs(next(iter(trainer.get_train_dataloader())))


def run(
    name: str,
    folder: Path,
    rows: list[dict[str, Any]],
    shape: str,
    *,
    adapter: str = "full",
    held_out: tuple[str, list[dict[str, Any]]] | None = None,
    **given: Any,
) -> tuple[Order, list[dict[str, Any]]]:
    """Carries out an order of the studio's worker in this process; the order, and all that it said."""
    technique, kind = techniques.get(name), adapters.get(adapter)
    at = folder / "runs" / "1"
    at.mkdir(parents=True)

    def data(title: str, its: str, found: list[dict[str, Any]]) -> DataOrder:
        path = at / f"{title}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in found))
        return DataOrder(path=path, shape=its, title=title)

    order = Order(
        run_id=1,
        attempt=1,
        kind="train",
        folder=at,
        spool=at / "spool.jsonl",
        log=at / "trainer.log",
        models=[ModelOrder(id=1, name="starter", source=str(STARTER))],
        data=data("rows", shape, rows),
        held_out=data("held_out", *held_out) if held_out else None,
        parameters=settings_of(name, shape, held_out is not None, **given)[0],
        adapter_parameters=kind.parameters().model_dump(),
        seed=7,
    )
    dispatch.fill(order, technique, kind)
    order.write()
    code = train.carry_out(order)
    said = [json.loads(line) for line in order.spool.read_text().splitlines()]
    assert code == 0, [entry for entry in said if entry["kind"] == "error"]
    return order, said


def logged(said: list[dict[str, Any]]) -> dict[str, list[float]]:
    """Each metric's values, in their order."""
    found: dict[str, list[float]] = {}
    for entry in said:
        for key, value in entry["data"].items() if entry["kind"] == "metric" else ():
            found.setdefault(key, []).append(value)
    return found
