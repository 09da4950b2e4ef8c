"""The learning rate is too low: after all these steps the model is where it was."""

from studio.doctor.base import (
    CERTAIN,
    OUR_RULE,
    Change,
    Finding,
    Limits,
    Patient,
    Rule,
    evidence,
    number,
    threshold,
)


def examine(patient: Patient, limits: Limits) -> Finding | None:
    rate, advised = patient.settings["learning_rate"], patient.advised["learning_rate"]
    key = "reward" if patient.answers_itself else "loss"
    series = patient.series[key]
    before, now, error = series.drift
    moved = abs(now - before)
    if rate * limits["rate_low_factor"] > advised:
        return None
    if moved > CERTAIN * error and moved >= limits["rate_low_moved"] * abs(before):
        return None
    said = (
        f"After {series.steps[-1]:,.0f} steps the {key} has hardly moved: from {number(before)} to "
        f"{number(now)}. The learning rate is {rate:g}, {advised / rate:,.0f} times below what is "
        "recommended here."
    )
    why = "Recommended for this technique, this adapter and a model of this size"
    shown = evidence(patient, key, lambda _: True)
    return Finding("warning", said, (shown,), (Change("learning_rate", advised, why),))


def concerns(patient: Patient) -> bool:
    rates = patient.settings.get("learning_rate") and patient.advised.get("learning_rate")
    key = "reward" if patient.answers_itself else "loss"
    if not rates or not patient.has(key):
        return False
    return patient.series[key].steps[-1] >= (patient.total_steps or 0) / 2  # before that it may still warm up


RULE = Rule(
    name="rate_low",
    title="Learning rate too low",
    explanation="Nothing went wrong, and nothing was learned: the steps are so short that the model is still "
    "the one it started from. Its time and cost are spent all the same.",
    concerns=concerns,
    examine=examine,
    thresholds={
        "rate_low_factor": threshold(
            "Learning rate too low: below the recommended",
            "So many times below the recommended rate it is suspected.",
            5,
            f"{OUR_RULE}: published rates for one technique and size differ by less",
        ),
        "rate_low_moved": threshold(
            "Learning rate too low: moved",
            "Share of its first value by which the loss, or the reward, has to move at least.",
            0.1,
            f"{OUR_RULE}: what batches differ by from one to the next",
        ),
    },
    order=30,
)
