"""Groups of graded answers on their way into a batch: which teach something, and what became of the others.

A group is the answers to one prompt. Bookkeeping only: it generates nothing, grades nothing and knows no
trainer.
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from trl.trainer.utils import nanstd


@dataclass
class Answer:
    """One graded answer. `made` is its part of everything the trainer's generation returned."""

    row: dict[str, Any]
    made: tuple[Any, ...]
    rewards: list[float]  # one a reward function; NaN where it had nothing to say
    extra: dict[str, Any] = field(default_factory=dict)  # columns its reward functions logged


def weighted(answers: list[Answer], weights: torch.Tensor, size: int) -> torch.Tensor:
    """The weighted reward of each answer, (groups, `size`), of as many reward functions as there are weights.
    NaN where none of them had anything to say."""
    each = torch.tensor([answer.rewards[: len(weights)] for answer in answers])
    total = (each * weights.cpu()).nansum(dim=1)
    total[torch.isnan(each).all(dim=1)] = torch.nan
    return total.view(-1, size)


def has_spread(rewards: torch.Tensor) -> torch.Tensor:
    """Which groups of (groups, answers) rewards differ within, by the measure TRL logs."""
    spread = nanstd(rewards, dim=1)
    return ~torch.isclose(spread, torch.zeros_like(spread)) & ~torch.isnan(spread)


@dataclass
class Batch:
    """`wanted` groups of `size` answers, being collected over rounds of generation."""

    wanted: int
    size: int
    kept: list[Answer] = field(default_factory=list)
    spare: list[Answer] = field(default_factory=list)  # taught nothing; used only where rounds run out
    rounds: int = 0
    drawn: int = 0  # groups
    right: int = 0  # groups thrown away because every answer was right
    wrong: int = 0
    rewards: list[torch.Tensor] = field(default_factory=list)
    logged: list[tuple[int, dict[str, list[float]]]] = field(default_factory=list)

    @property
    def found(self) -> int:
        """Groups with spread."""
        return len(self.kept) // self.size

    @property
    def missing(self) -> int:
        return max(0, self.wanted - self.found)

    def add(
        self,
        answers: list[Answer],
        rewards: torch.Tensor,
        teaches: torch.Tensor,
        right_from: float,
        logged: dict[str, list[float]],
    ) -> None:
        """A round: its answers group by group, their `rewards` (groups, answers), which groups teach
        (groups,), from which reward on a group counts as right, and what was logged while generating."""
        self.rounds += 1
        self.drawn += len(rewards)
        self.rewards.append(rewards)
        self.logged.append((len(rewards), logged))
        is_right = rewards.nanmean(dim=1) >= right_from
        self.right += int((~teaches & is_right).sum())
        self.wrong += int((~teaches & ~is_right).sum())
        for number, keep in enumerate(teaches.tolist()):
            group = answers[number * self.size : (number + 1) * self.size]
            (self.kept if keep else self.spare).extend(group)

    def answers(self) -> list[Answer]:
        """The answers to train on: those that teach and, where they do not suffice, the newest of the others,
        whose advantage is zero."""
        lacking = self.missing * self.size
        return self.kept[: self.wanted * self.size] + self.spare[len(self.spare) - lacking :]

    def figures(self) -> dict[str, float]:
        """How it went, by the name of the metric."""
        return {
            "rounds": self.rounds,
            "generated_per_used": self.drawn / self.wanted,
            "filled": 1 - self.missing / self.wanted,
            "discarded_correct": self.right / self.drawn,
            "discarded_wrong": self.wrong / self.drawn,
            "reward": torch.cat(self.rewards).nanmean().item(),
        }

    def tell(self, metrics: dict[str, list[float]]) -> None:
        """Adds what was logged in the rounds to TRL's lists of measurements, one value for the batch: means
        weighted by the groups of each round, the least of the least, the greatest of the greatest."""
        for key in self.logged[0][1]:
            found = [(groups, logged[key][-1]) for groups, logged in self.logged]
            if key == "num_tokens":  # a count so far: the newest is the whole truth
                metrics[key] = [found[-1][1]]
            elif "/min_" in key:
                metrics[key].append(min(value for _, value in found))
            elif "/max_" in key:
                metrics[key].append(max(value for _, value in found))
            else:
                metrics[key].append(sum(n * value for n, value in found) / sum(n for n, _ in found))
