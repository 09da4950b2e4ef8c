"""Many rows are longer than the longest row, and lose their end: the answer."""

from studio.doctor.base import OUR_RULE, Change, Finding, Limits, Patient, Rule, evidence, share, threshold


def examine(patient: Patient, limits: Limits) -> Finding | None:
    limit, cut = limits["rows_cut_share"], patient.series["rows_cut"].end
    if cut <= limit:
        return None
    longest = patient.settings["max_length"]
    said = (
        f"{share(cut)} of the rows fill the longest length of {longest:,} tokens: what is beyond it was "
        "left out."
    )
    shown = evidence(patient, "rows_cut", lambda value: value > limit, limit)
    return Finding("warning", said, (shown,), (Change("max_length", 2 * longest, "Rows keep their end"),))


RULE = Rule(
    name="rows_cut",
    title="Rows cut off",
    explanation="A row loses its end first, and the end is the answer. The model learns to begin answers and "
    "never to finish one; of a row whose prompt alone is too long it learns nothing.",
    concerns=lambda patient: patient.has("rows_cut") and "max_length" in patient.settings,
    examine=examine,
    thresholds={
        "rows_cut_share": threshold(
            "Rows cut off",
            "Share of the rows that fill the longest length.",
            0.1,
            f"{OUR_RULE}: one row in ten whose answer has no end is no accident any more",
        )
    },
    of_data=True,
    order=100,
)
