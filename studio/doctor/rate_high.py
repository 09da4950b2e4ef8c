"""The learning rate is too high, though the training survives it: the loss jumps up before it falls."""

from studio.doctor.base import (
    OUR_RULE,
    Evidence,
    Finding,
    Limits,
    Patient,
    Rule,
    number,
    slower,
    threshold,
)

WINDOW = 9  # points, in the median of which a jump has to show


def examine(patient: Patient, limits: Limits) -> Finding | None:
    loss = patient.series["loss"]
    smooth = loss.smoothed(WINDOW)
    top = max(smooth.values)
    step = smooth.steps[smooth.values.index(top)]
    limit = limits["rate_high_jump"] * loss.start * (1 + loss.unsure)
    if loss.start <= 0 or top <= limit:
        return None
    said = (
        f"The loss jumped from {number(loss.start)} to {number(top)} by step {step:,.0f}, and has to make "
        "up for it since."
    )
    first = next(s for s, v in zip(smooth.steps, smooth.values, strict=True) if v > limit)
    changes = slower(patient, "The loss should fall from the first steps on")
    return Finding("warning", said, (Evidence("loss", first, loss.start, top, limit),), changes)


RULE = Rule(
    name="rate_high",
    title="Learning rate too high",
    explanation="The first steps destroyed some of what the model could do, and later ones repair it. What "
    "comes out is worse than with shorter steps, and general abilities suffer first.",
    concerns=lambda patient: not patient.answers_itself and patient.has("loss"),
    examine=examine,
    thresholds={
        "rate_high_jump": threshold(
            "Learning rate too high: jump of the loss",
            "So many times the loss it began with, in the median of nine logged steps.",
            2,
            f"{OUR_RULE}: rows of a batch differ by less; healthy runs of every technique stay below",
        )
    },
    order=20,
)
