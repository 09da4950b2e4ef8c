"""Fits and measures small heads over features that are there already: which strength, how sure, how good.

Only tensors go in and out: (rows, features) standardised features, (rows,) class numbers. It reads no texts
and knows no model; `worker.trainers.features` does.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from transformers import get_scheduler

# Variances of the prior on a weight, from the strongest penalty to the weakest (scikit-learn's C).
STRENGTHS = (0.001, 0.01, 0.1, 1.0, 10.0)
FOLD_ITERATIONS = 50  # of L-BFGS, at most; to compare candidates takes no more
BINS = 15  # of the calibration error, as in arXiv 1706.04599
LEAST, MOST = 0.05, 20.0  # temperatures: where no row is wrong, the best one would be 0


@dataclass(frozen=True)
class Task:
    """Features (rows, features), classes (rows,), how many classes there are, and what each row counts."""

    features: torch.Tensor
    classes: torch.Tensor
    labels: int
    weights: torch.Tensor

    def part(self, rows: torch.Tensor) -> "Task":
        return Task(self.features[rows], self.classes[rows], self.labels, self.weights[rows])

    def loss(self, logits: torch.Tensor) -> torch.Tensor:
        """Weighted mean of the cross-entropy, in nats."""
        each = cross_entropy(logits, self.classes, reduction="none")
        return (each * self.weights).sum() / self.weights.sum()


def row_weights(classes: torch.Tensor, labels: int, *, balanced: bool) -> torch.Tensor:
    """One for each row, or, balanced, rows / (labels × rows of its class), so that classes count alike."""
    if not balanced:
        return torch.ones(len(classes))
    counts = torch.bincount(classes, minlength=labels).clamp(min=1)
    return (len(classes) / (labels * counts.float()))[classes]


# Fitting


def linear_passes(body: nn.Module, task: Task, strength: float, iterations: int) -> Iterator[float]:
    """Logistic regression: mean loss + |W|² / (2 · strength · rows), by L-BFGS; biases are free. Yields the
    loss after every `iterations`, without an end; once it has converged it stays where it is."""
    penalty = 1 / (2 * strength * len(task.classes))
    weights = [value for value in body.parameters() if value.dim() > 1]
    optimiser = torch.optim.LBFGS(
        body.parameters(),
        max_iter=iterations,
        max_eval=25 * iterations,  # torch's default ends the search for a step's length half-way
        tolerance_grad=1e-4,
        tolerance_change=1e-6,
        line_search_fn="strong_wolfe",
    )

    def objective() -> torch.Tensor:
        optimiser.zero_grad()
        total = task.loss(body(task.features)) + penalty * sum(value.square().sum() for value in weights)
        total.backward()
        return total

    while True:
        optimiser.step(objective)
        with torch.no_grad():
            yield task.loss(body(task.features)).item()


@dataclass(frozen=True)
class Descent:
    """How a perceptron learns: AdamW in batches, with transformers' schedules."""

    learning_rate: float
    passes: int
    batch: int
    weight_decay: float
    schedule: str
    warmup: float
    clip: float
    seed: int


def perceptron_passes(body: nn.Module, task: Task, how: Descent) -> Iterator[float]:
    """Yields the mean loss of each pass over the rows, `how.passes` times. The order of the rows and the
    dropout of a pass follow from the seed and its number, whatever was drawn between two passes."""
    batches = math.ceil(len(task.classes) / how.batch)
    optimiser = torch.optim.AdamW(body.parameters(), lr=how.learning_rate, weight_decay=how.weight_decay)
    steps = how.passes * batches
    schedule = get_scheduler(how.schedule, optimiser, math.ceil(how.warmup * steps), steps)
    for number in range(how.passes):
        torch.manual_seed(how.seed + number)
        body.train()
        total = 0.0
        order = torch.randperm(len(task.classes)).to(task.classes.device)
        for rows in order.split(how.batch):
            part = task.part(rows)
            loss = part.loss(body(part.features))
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(body.parameters(), how.clip)
            optimiser.step()
            schedule.step()
            total += loss.item() * len(rows)
        body.eval()
        yield total / len(task.classes)


def fit_linear(task: Task, strength: float) -> nn.Linear:
    """A linear head, fitted at once."""
    body = nn.Linear(task.features.shape[1], task.labels).to(task.features.device)
    nn.init.zeros_(body.weight)
    nn.init.zeros_(body.bias)
    next(linear_passes(body, task, strength, FOLD_ITERATIONS))
    return body


# Choosing and calibrating on rows that a head did not learn from


def split_in_folds(classes: torch.Tensor, count: int, seed: int) -> list[torch.Tensor]:
    """Row numbers of `count` folds, each with about the same share of every class; none is empty. With fewer
    rows than folds there are as many folds as rows."""
    generator = torch.Generator().manual_seed(seed)
    shuffled = torch.randperm(len(classes), generator=generator)
    dealt = shuffled[torch.sort(classes.cpu()[shuffled], stable=True).indices]
    return [dealt[start::count] for start in range(min(count, len(classes)))]


def logits_out_of_fold(task: Task, folds: Sequence[torch.Tensor], strength: float) -> torch.Tensor:
    """(rows, labels): each row's logits by a linear head that learned on the other folds."""
    found = torch.zeros(len(task.classes), task.labels, device=task.features.device)
    for fold in folds:
        others = torch.ones(len(task.classes), dtype=torch.bool)
        others[fold] = False
        if not others.any():  # a single row: there is nothing to learn from
            continue
        with torch.no_grad():
            found[fold] = fit_linear(task.part(others.nonzero().squeeze(1)), strength)(task.features[fold])
    return found


def find_temperature(logits: torch.Tensor, classes: torch.Tensor) -> float:
    """The T that minimises the loss of logits / T (temperature scaling, arXiv 1706.04599), within bounds."""
    log_t = torch.zeros((), device=logits.device, requires_grad=True)
    optimiser = torch.optim.LBFGS([log_t], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        value = cross_entropy(logits / log_t.exp(), classes)
        value.backward()
        return value

    optimiser.step(loss)
    found = log_t.exp().item()
    return min(max(found, LEAST), MOST) if math.isfinite(found) else 1.0


# Measuring


def measure(probabilities: torch.Tensor, classes: torch.Tensor) -> dict[str, float]:
    """loss (nats), accuracy, macro_f1, ece and brier (0 to 2) of (rows, labels) probabilities."""
    chosen = probabilities.argmax(1)
    wanted = torch.nn.functional.one_hot(classes, probabilities.shape[1]).float()
    given = probabilities.gather(1, classes.unsqueeze(1)).clamp(min=1e-12)
    return {
        "loss": -given.log().mean().item(),
        "accuracy": (chosen == classes).float().mean().item(),
        "macro_f1": macro_f1(chosen, classes),
        "ece": calibration_error(probabilities, classes),
        "brier": (probabilities - wanted).square().sum(1).mean().item(),
    }


def macro_f1(chosen: torch.Tensor, classes: torch.Tensor) -> float:
    """The mean of F1 = 2·hits / (chosen + wanted) over the classes that were wanted or chosen."""
    scores = []
    for label in torch.unique(torch.cat([chosen, classes])):
        hits = ((chosen == label) & (classes == label)).sum().item()
        scores.append(2 * hits / ((chosen == label).sum().item() + (classes == label).sum().item()))
    return sum(scores) / len(scores)


def calibration_error(probabilities: torch.Tensor, classes: torch.Tensor) -> float:
    """Expected calibration error: over equal-width bins of the highest probability, |accuracy - mean
    probability|, weighted by the share of rows in the bin. On few rows it is above zero by chance alone."""
    sure, chosen = probabilities.max(1)
    right = (chosen == classes).float()
    bins = (sure * BINS).long().clamp(max=BINS - 1)
    total = 0.0
    for number in range(BINS):
        inside = bins == number
        if inside.any():
            gap = (right[inside].mean() - sure[inside].mean()).abs()
            total += gap.item() * inside.float().mean().item()
    return total
