"""What a classifier over frozen features keeps in a checkpoint: all it has read, and what it has compared.

Safetensors and JSON. Heads are not kept: fitting one again takes seconds and gives the same.
"""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

STATE = "features.json"

Candidate = tuple[int, float]  # number of a place among those read, strength of the prior


@dataclass
class Store:
    """`batches` of features, each (rows, places, hidden), in the order of reading; `scores` of the candidates
    that were cross-validated."""

    batches: list[torch.Tensor] = field(default_factory=list)
    scores: dict[Candidate, float] = field(default_factory=dict)
    folder: Path | None = None  # where all of `batches` up to some number lie already

    def save(self, folder: Path) -> None:
        """A file a batch. Those of the last checkpoint are linked, not written again."""
        for number, batch in enumerate(self.batches):
            path = folder / _name(number)
            if not (self.folder and _link(self.folder / path.name, path)):
                save_file({"features": batch.contiguous()}, path)
        scores = [[*candidate, score] for candidate, score in self.scores.items()]
        (folder / STATE).write_text(json.dumps({"batches": len(self.batches), "scores": scores}))
        self.folder = folder

    @classmethod
    def load(cls, folder: Path) -> "Store":
        kept = json.loads((folder / STATE).read_text())
        batches = [load_file(folder / _name(number))["features"] for number in range(kept["batches"])]
        return cls(batches, {(place, strength): score for place, strength, score in kept["scores"]}, folder)


def _name(number: int) -> str:
    return f"features-{number:06}.safetensors"


def _link(old: Path, new: Path) -> bool:
    """Whether the file is now there under the new name too, without a copy."""
    try:
        os.link(old, new)
    except OSError:  # gone, or a file system without links
        return False
    return True
