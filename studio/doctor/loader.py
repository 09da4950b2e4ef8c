"""The device waits for its rows instead of training."""

from studio.doctor.base import OUR_RULE, Change, Finding, Limits, Patient, Rule, evidence, share, threshold

WORKERS = 4


def examine(patient: Patient, limits: Limits) -> Finding | None:
    limit, waits = limits["loader_share"], patient.series["data_wait"].end
    if waits <= limit:
        return None
    said = f"{share(waits)} of the time passes in waiting for the next rows: the device idles."
    shown = evidence(patient, "data_wait", lambda value: value > limit, limit)
    changes = []
    now = patient.settings.get("dataloader_num_workers")
    if now is not None:
        why = "Rows are made ready by processes of their own while the device trains"
        changes.append(Change("dataloader_num_workers", max(WORKERS, 2 * now), why))
    return Finding(
        "warning",
        said,
        (shown,),
        tuple(changes),
        "Look at the disk, too: data on a network folder load slowly.",
    )


RULE = Rule(
    name="loader",
    title="Waiting for data",
    explanation="Time in which the device has no rows is paid for and trains nothing. What it learns is not "
    "affected.",
    concerns=lambda patient: patient.has("data_wait"),
    examine=examine,
    thresholds={
        "loader_share": threshold(
            "Waiting for data",
            "Share of the time.",
            0.3,
            f"{OUR_RULE}: beyond it, faster loading saves more than any other change of settings would",
        )
    },
    of_data=True,
    order=130,
)
