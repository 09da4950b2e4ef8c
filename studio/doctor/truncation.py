"""Many of the model's own answers run into the longest length and are cut off."""

from studio.doctor.base import Change, Finding, Limits, Patient, Rule, evidence, high_of, share
from studio.techniques.metrics import CUT_OFF

KEY, LENGTH = "completions/clipped_ratio", "max_completion_length"


def examine(patient: Patient, limits: Limits) -> Finding | None:
    limit, cut = limits["truncation_share"], patient.series[KEY].end
    if cut <= limit:
        return None
    longest = patient.settings.get(LENGTH)
    at = f" at {longest:,} tokens" if longest else ""
    said = (
        f"{share(cut)} of the answers are cut off{at}: they are graded before they have said what they mean."
    )
    shown = evidence(patient, KEY, lambda value: value > limit, limit)
    longer = (Change(LENGTH, 2 * longest, "Answers can end by themselves"),) if longest else ()
    besides = "If answers ramble rather than think, add the grader “Soft overlong punishment” instead."
    return Finding("warning", said, (shown,), longer, besides)


RULE = Rule(
    name="truncation",
    title="Answers cut off",
    explanation="A right thought that is cut off gets the reward of a wrong one. The model learns that long "
    "answers are bad, or that it need not finish.",
    concerns=lambda patient: patient.has(KEY),
    examine=examine,
    thresholds={
        "truncation_share": high_of(
            CUT_OFF, "Answers cut off", "Share of answers that run into the longest length."
        )
    },
    order=90,
)
