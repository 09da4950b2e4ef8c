"""KTO with three things TRL's trainer leaves to its user.

* **Weights from the label counts.** KTO wants λ_D·n_D / (λ_U·n_U) between 1 and 4/3 (arXiv 2402.01306, eq.
  8). Left at 0, the weights are worked out from the training rows, logged, and put into `report`.
* **Shuffled rows.** TRL trains on the rows in their order, since it pairs each answer with the prompt after
  it to estimate the KL. Rows sorted by label would make batches of one kind, and a pair taken apart would
  meet its own prompt there. So the rows are shuffled once, by the run's seed.
* **`rewards/accuracies`**: the share of answers whose reward lies on the side of the KL that their label
  says.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from datasets import Dataset
from trl import KTOConfig as TRLKTOConfig
from trl import KTOTrainer as TRLKTOTrainer

LOWEST, HIGHEST = 1.0, 4 / 3  # of λ_D·n_D / (λ_U·n_U), eq. 8
AIM = (LOWEST + HIGHEST) / 2


@dataclass
class KTOConfig(TRLKTOConfig):
    """TRL's KTOConfig, in which a weight of 0 means: from the label counts.

    Raises ValueError for batches of one row, which have no other prompt to estimate the KL with."""

    desirable_weight: float = field(
        default=0.0, metadata={"help": "Weight of good answers; 0: from the label counts (eq. 8)."}
    )
    undesirable_weight: float = field(
        default=0.0, metadata={"help": "Weight of bad answers; 0: from the label counts (eq. 8)."}
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.per_device_train_batch_size < 2:
            raise ValueError(
                "KTO estimates the KL by pairing each answer with another row's prompt: it needs batches of "
                "at least 2 rows. Set the batch size to 2 or more."
            )


def balanced(
    desirable: int, undesirable: int, given: tuple[float, float] = (0.0, 0.0)
) -> tuple[float, float]:
    """(λ_D, λ_U) for so many good and bad answers. Weights `given` other than 0 stay; where the ratio of
    eq. 8 then lies outside its range, the rarer kind is weighed up (or whichever weight is free) so that it
    comes to lie in the middle. With labels of one kind only there is nothing to balance."""
    good, bad = (weight or 1.0 for weight in given)
    if not desirable or not undesirable or all(given):
        return good, bad
    ratio = good * desirable / (bad * undesirable)
    if LOWEST <= ratio <= HIGHEST:
        return good, bad
    may_lift_good = given[1] > 0 or (given[0] == 0 and ratio < LOWEST)
    return (good * AIM / ratio, bad) if may_lift_good else (good, bad * ratio / AIM)


class KTOTrainer(TRLKTOTrainer):
    """TRL's KTOTrainer, balanced, shuffled and with accuracies. Takes a KTOConfig of this module."""

    report: dict[str, Any]

    def _prepare_dataset(
        self, dataset: Any, processing_class: Any, args: KTOConfig, dataset_name: str
    ) -> Any:
        if isinstance(dataset, Dataset):
            dataset = dataset.shuffle(seed=args.seed)
            if dataset_name == "train":
                self._balance(dataset, args)
        return super()._prepare_dataset(dataset, processing_class, args, dataset_name)

    def _balance(self, rows: Dataset, args: KTOConfig) -> None:
        if "label" in rows.column_names:
            good = sum(map(bool, rows["label"]))
            bad = len(rows) - good
        else:  # pairs: one good answer and one bad each
            good = bad = len(rows)
        given = (args.desirable_weight, args.undesirable_weight)
        self.desirable_weight, self.undesirable_weight = balanced(good, bad, given)
        ratio = self.desirable_weight * good / (self.undesirable_weight * bad) if bad else None
        self.report = {
            "KTO weights": {
                "good answers": good,
                "bad answers": bad,
                "desirable weight": round(self.desirable_weight, 4),
                "undesirable weight": round(self.undesirable_weight, 4),
                "ratio": None if ratio is None else round(ratio, 4),
                "range of the paper": [round(LOWEST, 4), round(HIGHEST, 4)],
                "derived": not all(given),
            }
        }

    def _compute_loss(self, model: Any, inputs: dict[str, Any], return_outputs: bool) -> Any:
        mode = "train" if self.model.training else "eval"
        with self._passes() as passes:
            found = super()._compute_loss(model, inputs, return_outputs)
        # The passes in their order: [KL of the policy,] policy[, [KL of the reference,] reference].
        policy = passes[1 if self.calculate_KL else 0]
        reference = inputs["ref_logps"].to(policy.device) if self.precompute_ref_logps else passes[-1]
        rewards = self.beta * (policy - reference)
        middle = self.beta * self._metrics[mode]["kl"][-1]
        right = (rewards > middle) == inputs["label"].bool().to(policy.device)
        accuracy = self.accelerator.gather_for_metrics(right.float().mean()).mean().item()
        self._metrics[mode]["rewards/accuracies"].append(accuracy)
        return found

    @contextmanager
    def _passes(self) -> Iterator[list[torch.Tensor]]:
        """Each pass through policy or reference while this is open: log-probabilities of answers, (rows,)."""
        seen: list[torch.Tensor] = []

        def listen(_module: Any, _given: Any, said: Any) -> None:
            seen.append(said.log_probs.detach().sum(-1))

        heard = [self.model, *([self.ref_model] if self.ref_model is not None else [])]
        hooks = [self.accelerator.unwrap_model(each).register_forward_hook(listen) for each in heard]
        try:
            yield seen
        finally:
            for hook in hooks:
                hook.remove()

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        if "loss" in logs:
            logs["weights/desirable"] = self.desirable_weight
            logs["weights/undesirable"] = self.undesirable_weight
        super().log(logs, start_time)
