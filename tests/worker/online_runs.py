"""Small trainings of the techniques that learn from their own answers, as a technique's file orders them."""

from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer

from studio import techniques
from worker.ingredients import resolve

ROOT = Path(__file__).parents[2]
STARTER = ROOT / "examples" / "starter-model"
WORDS = ("take two tablets", "one puff daily", "use 3 drops in the left eye every day for two weeks")
SMALL: dict[str, Any] = {
    "per_device_train_batch_size": 8,
    "gradient_accumulation_steps": 1,
    "num_generations": 4,
    "max_completion_length": 6,
    "max_steps": 2,
    "learning_rate": 1e-5,
    "warmup_ratio": 0.0,
}


def prompts(count: int = 16) -> Dataset:
    return Dataset.from_list(
        [
            {"prompt": [{"role": "user", "content": f"{WORDS[at % 3]} {at}"}], "number": at}
            for at in range(count)
        ]
    )


def parity(prompts: Any, completion_ids: list[list[int]], **_others: Any) -> list[float]:
    """About every second answer is right."""
    return [float(sum(ids) % 2 == 0) for ids in completion_ids]


def make(
    name: str, folder: Path, *, model: Any = None, held_out: Dataset | None = None, **settings: Any
) -> Any:
    """The technique's trainer on the starter model (or `model`), with the arguments its settings lead to."""
    technique = techniques.get(name)
    outer = {
        key: settings.pop(key)
        for key in ("save_strategy", "save_steps", "router_aux_loss_coef")
        if key in settings
    }
    known = technique.parameters.model_fields
    given = technique.parameters(**{k: v for k, v in (SMALL | settings).items() if k in known}).model_dump()
    arguments = technique.trainer_arguments(given, "prompt", measured=held_out is not None)
    arguments |= {
        "output_dir": str(folder),
        "save_strategy": "no",
        "report_to": [],
        "disable_tqdm": True,
        "use_cpu": True,
        "bf16": False,
        "activation_checkpointing": False,
        "dataloader_pin_memory": False,
    }
    return resolve(technique.trainer)(
        model=model or AutoModelForCausalLM.from_pretrained(STARTER, dtype=torch.float32),
        args=resolve(technique.config)(**(arguments | outer)),
        train_dataset=prompts(),
        eval_dataset=held_out,
        reward_funcs=[parity],
        processing_class=AutoTokenizer.from_pretrained(STARTER),
    )


def logs_of(trainer: Any, after: int = 0) -> list[dict[str, Any]]:
    """What was logged after a step, but for times."""
    return [
        {key: value for key, value in log.items() if "time" not in key and "per_second" not in key}
        for log in trainer.state.log_history
        if log["step"] > after and "loss" in log
    ]
