"""The margin between chosen and rejected answers grows while the chosen ones get less likely themselves."""

import statistics

from studio.doctor.base import (
    CERTAIN,
    Change,
    Finding,
    Limits,
    Patient,
    Rule,
    Series,
    evidence,
    number,
    slower,
    threshold,
)

CHOSEN, REWARD, MARGIN = "logps/chosen", "rewards/chosen", "rewards/margins"


def examine(patient: Patient, limits: Limits) -> Finding | None:
    chosen, margin = patient.series[CHOSEN], patient.series[MARGIN]
    before, now = _as_of_the_same_rows(patient) or _as_of_each_batch(chosen)
    fallen = (before - now) / abs(before) if before else 0.0
    if margin.end <= margin.start or fallen < limits["likelihood_fall"]:
        return None
    floor = before - limits["likelihood_fall"] * abs(before)
    said = (
        f"The margin grew from {number(margin.start)} to {number(margin.end)}, but the chosen answers became "
        f"less likely too: their log-probability fell from {number(before)} to {number(now)} nats."
    )
    shown = (
        evidence(patient, CHOSEN, lambda value: value < floor, floor),
        evidence(patient, MARGIN, lambda value: value > margin.start),
    )
    besides = (
        "Iterative RPO and ORPO keep a likelihood term on the chosen answers. Pairs made from the model's "
        "own answers lie nearer to what it would say, so that there is less to push away."
    )
    return Finding(
        "warning", said, shown, slower(patient, "The fall comes with long steps") + _nearer(patient), besides
    )


def _as_of_the_same_rows(patient: Patient) -> tuple[float, float] | None:
    """Their log-probability under the model it started from, and now. A reward is β times the difference of
    just the same rows, so that it does not matter how likely those of a batch are."""
    beta = patient.settings.get("beta")
    if not (patient.technique.reference and beta and patient.has(REWARD)):
        return None
    pairs = zip(patient.series[CHOSEN].values, patient.series[REWARD].values, strict=False)
    began = statistics.median(logp - reward / beta for logp, reward in pairs)
    return began, began + patient.series[REWARD].end / beta


def _as_of_each_batch(chosen: Series) -> tuple[float, float]:
    """The medians of the first and the last fifth; the same twice where batches differ by more."""
    before, now, error = chosen.drift
    return (before, now) if before - now > CERTAIN * error else (before, before)


def _nearer(patient: Patient) -> tuple[Change, ...]:
    """A term that holds on to the chosen answers where the technique has one; else β where that holds near
    the start. In SimPO and its kin β is a scale and holds nothing."""
    given = patient.settings
    if "rpo_alpha" in given:
        return (Change("rpo_alpha", max(1.0, 2 * given["rpo_alpha"]), "Holds on to the chosen answers"),)
    if patient.technique.reference and given.get("beta"):
        why = "Leaving the model it started from is then dearer"
        return (Change("beta", float(f"{min(2 * given['beta'], 100):.2g}"), why),)
    return ()


RULE = Rule(
    name="likelihood",
    title="Chosen answers become less likely",
    explanation="Only the difference between two answers counts in this loss, so it can be won by unlearning "
    "both, the rejected one faster. The probability goes to answers that stand in no pair, which "
    "nobody has judged: often gibberish, or an answer of another kind.",
    concerns=lambda patient: patient.technique.reads == "pairs" and patient.has(CHOSEN, MARGIN),
    examine=examine,
    thresholds={
        "likelihood_fall": threshold(
            "Chosen answers: fall of the log-probability",
            "Share of the log-probability they began with by which it has to fall.",
            0.3,
            "The studio's rule; a small fall is part of DPO (arXiv 2402.13228, section 3), a large one moves "
            "probability to answers nobody judged (arXiv 2410.08847)",
        )
    },
    order=50,
)
