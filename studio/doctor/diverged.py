"""The training has come apart: numbers that are none, a loss above where it began, a reward that is gone."""

import itertools
import math

from studio.doctor.base import (
    FEWEST,
    OUR_RULE,
    Change,
    Evidence,
    Finding,
    Limits,
    Patient,
    Rule,
    evidence,
    number,
    slower,
    threshold,
)

LOSSES = ("loss", "grad_norm")
WHY = "Steps this long throw the weights about; a shorter one lets them settle"


def examine(patient: Patient, limits: Limits) -> Finding | None:
    return _not_a_number(patient) or _blown_up(patient, limits) or _reward_lost(patient, limits)


def _not_a_number(patient: Patient) -> Finding | None:
    for key in LOSSES:
        series = patient.series.get(key)
        if series is None or not len(series):
            continue
        values = list(itertools.takewhile(lambda value: not math.isfinite(value), reversed(series.values)))
        if len(values) >= FEWEST:
            step = series.steps[-len(values)]
            began = series.finite.values[0] if len(series.finite) else math.nan
            name = "loss" if key == "loss" else "gradient"
            said = f"The {name} is no number from step {step:,.0f} on: the weights are lost."
            return Finding("error", said, (Evidence(key, step, began, math.nan),), _calmer(patient))
    if patient.error.get("kind") == "diverged":
        return Finding(
            "error", "The weights are no numbers any more: the training diverged.", (), _calmer(patient)
        )
    return None


def _blown_up(patient: Patient, limits: Limits) -> Finding | None:
    if patient.answers_itself or not patient.has("loss"):
        return None
    loss = patient.series["loss"]
    limit = limits["diverged_loss"] * loss.start * (1 + loss.unsure)
    if loss.start <= 0 or loss.end <= limit:
        return None
    said = f"The loss began at {number(loss.start)} and is at {number(loss.end)}: the model has unlearned."
    shown = evidence(patient, "loss", lambda value: value > limit, limit)
    return Finding("error", said, (shown,), _calmer(patient))


def _reward_lost(patient: Patient, limits: Limits) -> Finding | None:
    if not patient.answers_itself or not patient.has("reward"):
        return None
    reward = patient.series["reward"]
    best = max(reward.smooth.values)
    limit = best * (1 - limits["diverged_reward"])
    if best < 0.05 or reward.end >= limit:
        return None
    said = f"The reward had been {number(best)} and is at {number(reward.end)}: the model has come apart."
    shown = evidence(patient, "reward", lambda value: value < limit, limit)
    return Finding("error", said, (shown,), _calmer(patient))


def _calmer(patient: Patient) -> tuple[Change, ...]:
    return slower(patient, WHY, factor=10)


RULE = Rule(
    name="diverged",
    title="Diverged",
    explanation="Each step made things worse, faster than the next could mend them. What was learned "
    "before is gone; going on, or resuming, will not bring it back. Nearly always the learning rate is "
    "too high.",
    concerns=lambda patient: "loss" in patient.series,
    examine=examine,
    thresholds={
        "diverged_loss": threshold(
            "Diverged: loss above its start",
            "So many times the loss it began with is called diverged.",
            1.5,
            f"{OUR_RULE}: a loss that ends above where it began has unlearned; half as much again is no "
            "chance",
        ),
        "diverged_reward": threshold(
            "Diverged: reward lost",
            "Share of the best reward that has to be lost.",
            0.5,
            f"{OUR_RULE}: noise of a batch takes a few points, not half",
        ),
    },
    order=10,
)
