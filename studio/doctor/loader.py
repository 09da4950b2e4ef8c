"""The device waits for its rows instead of training. Where the GPU's use is logged it counts, too: a GPU
computes on while the processor that feeds it waits, and only what both say is lost."""

from studio.doctor.base import OUR_RULE, Change, Finding, Limits, Patient, Rule, evidence, share, threshold

WORKERS = 4


def examine(patient: Patient, limits: Limits) -> Finding | None:
    limit, waits = limits["loader_share"], patient.series["data_wait"].end
    shown = [evidence(patient, "data_wait", lambda value: value > limit, limit)]
    said = f"{share(waits)} of the time passes in waiting for the next rows: the device idles."
    idles = waits
    if patient.has("gpu_use"):
        use = patient.series["gpu_use"].end
        idles = min(waits, 1 - use)
        said = f"{share(waits)} of the time passes in waiting for the next rows, and the GPU is busy only "
        said += f"{share(use)} of it."
        shown.append(evidence(patient, "gpu_use", lambda value: 1 - value > limit, 1 - limit))
    if idles <= limit:
        return None
    changes = []
    now = patient.settings.get("dataloader_num_workers")
    if now is not None:
        why = "Rows are made ready by processes of their own while the device trains"
        changes.append(Change("dataloader_num_workers", max(WORKERS, 2 * now), why))
    return Finding(
        "warning",
        said,
        tuple(shown),
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
            "Share of the time in which nothing is computed for lack of rows.",
            0.3,
            f"{OUR_RULE}: beyond it, faster loading saves more than any other change of settings. Where a "
            "GPU's use is logged, only while it idles, too: that use is the share of time in which it runs "
            "anything at all (NVML reference, nvmlUtilization_t)",
        )
    },
    of_data=True,
    order=130,
)
