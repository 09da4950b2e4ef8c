"""The held-out figure gets worse while the training one goes on getting better: rows are memorised."""

import math

from studio.doctor.base import (
    OUR_RULE,
    Change,
    Evidence,
    Finding,
    Limits,
    Patient,
    Rule,
    Series,
    number,
    share,
    threshold,
)

FEWEST_LOOKS = 4  # at the held-out data
LATER = 2  # looks after the best one that have to be worse


def examine(patient: Patient, limits: Limits) -> Finding | None:
    key, better = patient.technique.best_by
    sign = 1 if better == "lower" else -1
    held_out, training = patient.series[key].finite, patient.series[key.removeprefix("eval_")].finite
    values = [sign * value for value in held_out.values]
    best = min(range(len(values)), key=values.__getitem__)
    worse = (min(values[-LATER:]) - values[best]) / abs(values[best]) if values[best] else 0.0
    if len(values) - best <= LATER or worse < limits["overfitting_rise"]:
        return None
    step = held_out.steps[best]
    before, after = _around(training, step)
    if sign * after >= sign * before:
        return None
    name = "loss" if better == "lower" else "reward"
    said = (
        f"The held-out {name} was best at step {step:,.0f} ({number(held_out.values[best])}) and is "
        f"{share(worse)} worse now ({number(held_out.values[-1])}), while the training {name} went on from "
        f"{number(before)} to {number(after)}."
    )
    shown = (
        Evidence(key, step, held_out.values[best], held_out.values[-1]),
        Evidence(key.removeprefix("eval_"), step, before, after),
    )
    return Finding("warning", said, shown, _shorter(patient, step), _besides(patient))


def _around(training: Series, step: float) -> tuple[float, float]:
    """The training figure by the best step, and now."""
    until = [at for at in range(len(training)) if training.steps[at] <= step]
    return (training[: len(until)].end if until else training.start), training.end


def _shorter(patient: Patient, step: float) -> tuple[Change, ...]:
    given, total = patient.settings, patient.total_steps
    found = []
    if given.get("max_steps", -1) > 0:
        found.append(Change("max_steps", int(step), "It was best then"))
    elif total and "num_train_epochs" in given:
        epochs = max(1.0, math.ceil(given["num_train_epochs"] * step / total * 2) / 2)
        if epochs < given["num_train_epochs"]:
            found.append(Change("num_train_epochs", epochs, f"It was best at step {step:,.0f} of {total:,}"))
    if not given.get("keep_best", True):
        found.append(
            Change("keep_best", True, "The result is then the checkpoint that did best on held-out rows")
        )
    if not given.get("early_stopping", 1):
        found.append(Change("early_stopping", 3, "Ends by itself when three looks bring nothing better"))
    return tuple(found)


def _besides(patient: Patient) -> str:
    kept = (
        "The result is the best checkpoint all the same: the steps after it were in vain. "
        if patient.settings.get("keep_best")
        else ""
    )
    if patient.noted & {"duplicates", "near_duplicates"}:
        return kept + "Its data hold rows twice: each is then learned twice as hard. Remove them first."
    rows = f"{patient.rows:,} rows are few; " if patient.rows and patient.rows < 500 else ""
    return kept + f"{rows}more and more varied rows help most.".capitalize()


def concerns(patient: Patient) -> bool:
    key = patient.technique.best_by[0]
    looks = patient.series.get(key)
    return looks is not None and len(looks.finite) >= FEWEST_LOOKS and patient.has(key.removeprefix("eval_"))


RULE = Rule(
    name="overfitting",
    title="Overfitting",
    explanation="The model learns its rows by heart, with their accidents, and does worse on rows it has not "
    "seen. From the best step on, every further one made it worse at its task.",
    concerns=concerns,
    examine=examine,
    thresholds={
        "overfitting_rise": threshold(
            "Overfitting: held-out figure worse",
            "Share by which the held-out figure has to be worse than its best.",
            0.1,
            f"{OUR_RULE}: wide of the noise of 200 held-out rows (Prechelt, “Early Stopping – But When?”, "
            "1998, stops at a loss of 5 % and more)",
        )
    },
    order=40,
)
