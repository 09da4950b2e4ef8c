"""Answers that survive a stop: what a checkpoint of a group-relative trainer must hold beside the weights.

TRL generates once for several updates (`steps_per_generation`, `num_iterations`) and keeps the answers in
memory. A checkpoint made in between forgets them: the resumed run starts its count of steps again, generates
anew and logs other numbers than the run that was never stopped. Here the count and the answers go into the
checkpoint, as JSON and safetensors, one pair of files a process.

It changes nothing about training itself.
"""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR


class KeepsRollouts:
    """Mixed in before TRL's GRPOTrainer or RLOOTrainer; uses their `_step` and `_buffered_inputs`."""

    def _save_checkpoint(self: Any, model: Any, trial: Any) -> None:
        super()._save_checkpoint(model, trial)  # type: ignore[misc]
        generate_every = self.args.steps_per_generation * self.num_iterations
        under_way = bool(self._step % generate_every) and self._buffered_inputs is not None
        save_rollouts(
            checkpoint_folder(self, trial),
            self.accelerator.process_index,
            {
                "step": self._step,
                "processes": self.accelerator.num_processes,
                "generate_every": generate_every,
            },
            self._buffered_inputs if under_way else [],
        )

    def _load_optimizer_and_scheduler(self: Any, checkpoint: str | None) -> None:
        super()._load_optimizer_and_scheduler(checkpoint)  # type: ignore[misc]
        if checkpoint is None:
            return
        about, batches = load_rollouts(
            Path(checkpoint), self.accelerator.process_index, self.accelerator.device
        )
        generate_every = self.args.steps_per_generation * self.num_iterations
        if (about.get("processes"), about.get("generate_every")) != (
            self.accelerator.num_processes,
            generate_every,
        ):
            return  # another machine or other settings: TRL generates anew, which is right, if not the same
        if batches or about["step"] % generate_every == 0:
            self._step, self._buffered_inputs = about["step"], batches or None


def checkpoint_folder(trainer: Any, trial: Any) -> Path:
    """The folder of the checkpoint that `trainer` makes at its present step."""
    return Path(trainer._get_output_dir(trial)) / f"{PREFIX_CHECKPOINT_DIR}-{trainer.state.global_step}"


def save_rollouts(folder: Path, rank: int, about: dict[str, Any], batches: list[dict[str, Any]]) -> None:
    """Write `rollouts-RANK.json` and, where there are batches, `rollouts-RANK.safetensors` into `folder`.

    A batch maps names to tensors, None, or lists that JSON can hold (the number of images of each prompt)."""
    tensors: dict[str, torch.Tensor] = {}
    others: list[dict[str, Any]] = []
    for number, batch in enumerate(batches):
        others.append({name: value for name, value in batch.items() if not isinstance(value, torch.Tensor)})
        for name, value in batch.items():
            if isinstance(
                value, torch.Tensor
            ):  # a slice of the generation's tensors: safetensors wants its own
                tensors[f"{number}.{name}"] = value.detach().cpu().clone().contiguous()
    if tensors:
        save_file(tensors, folder / f"rollouts-{rank}.safetensors")
    (folder / f"rollouts-{rank}.json").write_text(json.dumps({**about, "batches": others}))


def load_rollouts(
    folder: Path, rank: int, device: torch.device
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What `save_rollouts` wrote: (about, batches), or two empties for a checkpoint without it."""
    path = folder / f"rollouts-{rank}.json"
    if not path.exists():
        return {}, []
    about = json.loads(path.read_text())
    batches: list[dict[str, Any]] = about.pop("batches")
    stored = path.with_suffix(".safetensors")
    for name, value in (load_file(stored) if stored.exists() else {}).items():
        number, _, key = name.partition(".")
        batches[int(number)][key] = value.to(device)
    return about, batches
