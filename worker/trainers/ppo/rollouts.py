"""Which prompts are answered, and the answers being learned from until the next ones are drawn."""

from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.utils.data import Sampler

PARTS = ("prompt_ids", "prompt_mask", "completion_ids", "completion_mask")


class PromptSampler(Sampler[int]):
    """Row numbers, one rollout after the other, each as often as the trainer asks for a batch during it.

    The order of an epoch follows from the seed and the epoch alone, so that a resumed run draws the
    prompts an uninterrupted one would have. Fewer rows than a rollout needs are gone through several
    times; a last rollout that would not be full is left out."""

    def __init__(
        self,
        rows: int,
        *,
        prompts: int,
        answers: int,
        batches: int,
        shuffle: bool,
        seed: int,
        epoch: Callable[[], int],
    ):
        self.rows, self.prompts, self.answers, self.batches = rows, prompts, answers, batches
        self.shuffle, self.seed, self.epoch = shuffle, seed, epoch

    def __iter__(self) -> Iterator[int]:
        order = self._order()
        for start in range(0, len(order) - self.prompts + 1, self.prompts):
            once = [row for row in order[start : start + self.prompts] for _ in range(self.answers)]
            for _ in range(self.batches):
                yield from once

    def __len__(self) -> int:
        return max(self.rows // self.prompts, 1) * self.prompts * self.answers * self.batches

    def _order(self) -> list[int]:
        order = list(range(self.rows))
        if self.shuffle:
            chance = torch.Generator().manual_seed(self.seed + self.epoch())
            order = torch.randperm(self.rows, generator=chance).tolist()
        while len(order) < self.prompts:
            order += order[: self.prompts - len(order)]
        return order


class Rollout:
    """Answers with all that is known of them: tensors whose first dimension is the answer."""

    def __init__(self, tensors: dict[str, Tensor], order: Tensor | None = None):
        self.tensors = tensors
        count = len(next(iter(tensors.values())))
        self.order = torch.arange(count) if order is None else order

    def reshuffle(self) -> None:
        """Another order for another pass, drawn from torch's own chance, which checkpoints keep."""
        self.order = torch.randperm(len(self.order))

    def rows(self, start: int, count: int) -> dict[str, Tensor]:
        chosen = self.order[start : start + count]
        return {name: tensor[chosen.to(tensor.device)] for name, tensor in self.tensors.items()}

    def tokens(self, start: int, count: int) -> Tensor:
        """How many tokens the policy chose in these answers."""
        mask = self.tensors["mask"]
        return mask[self.order[start : start + count].to(mask.device)].sum().float()

    def save(self, file: Path) -> None:
        kept = {name: tensor.contiguous() for name, tensor in self.tensors.items()}
        save_file({**kept, "order": self.order}, file)

    @classmethod
    def load(cls, file: Path, device: torch.device) -> "Rollout":
        tensors = load_file(file)
        order = tensors.pop("order")
        return cls({name: tensor.to(device) for name, tensor in tensors.items()}, order)


def sequences(answers: dict[str, Tensor]) -> tuple[Tensor, Tensor, int]:
    """Prompt and answer as one: ids (B, P + T), attention mask (B, P + T), and T."""
    ids = torch.cat([answers["prompt_ids"], answers["completion_ids"]], dim=1)
    attention = torch.cat([answers["prompt_mask"], answers["completion_mask"]], dim=1)
    return ids, attention, answers["completion_ids"].size(1)
