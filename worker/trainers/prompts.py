"""A stream of prompts that a trainer draws from by itself, as many as it needs, and can go on with later.

It knows row numbers only. Used where the number of prompts of a step is not known beforehand, which a
dataloader cannot serve.
"""

import json
from pathlib import Path

import torch

FILE = "prompts.json"


class PromptStream:
    """Row numbers of a dataset of `length` rows, in an order of its own for each pass. Each row comes once a
    pass. Equal for equal seeds, on every process; `position`, the number of rows drawn, is its whole state.
    """

    def __init__(self, length: int, seed: int, shuffle: bool = True):
        self.length, self.seed, self.shuffle = length, seed, shuffle
        self.position = 0
        self._order: list[int] = []
        self._order_of = -1

    @property
    def passes(self) -> float:
        """How often the dataset has been gone through."""
        return self.position / self.length

    def take(self, count: int) -> list[int]:
        """The next `count` row numbers."""
        taken = [self._at(place) for place in range(self.position, self.position + count)]
        self.position += count
        return taken

    def _at(self, place: int) -> int:
        turn, offset = divmod(place, self.length)
        if turn != self._order_of:
            self._order, self._order_of = self._shuffled(turn), turn
        return self._order[offset]

    def _shuffled(self, turn: int) -> list[int]:
        if not self.shuffle:
            return list(range(self.length))
        # One generator a pass, so that any position can be gone to without drawing all passes before it.
        # The factor keeps seeds 1 and 2 from sharing passes.
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + turn)
        order: list[int] = torch.randperm(self.length, generator=generator).tolist()
        return order

    def save(self, folder: Path) -> None:
        (folder / FILE).write_text(json.dumps({"position": self.position}))

    def load(self, folder: Path) -> None:
        """Goes to the position saved in `folder`; stays where it is if there is none."""
        if (folder / FILE).exists():
            self.position = json.loads((folder / FILE).read_text())["position"]
