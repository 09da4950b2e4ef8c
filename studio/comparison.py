"""Runs beside each other: their settings, and which of them differ."""

from collections.abc import Sequence
from typing import Any

from studio.models import Run


def settings_of(run: Run) -> dict[str, Any]:
    """Everything that decides how a run trains, by name."""
    fixed = {
        "technique": run.technique,
        "adapter": run.adapter,
        "model": run.model.name if run.model else "",
        "dataset": run.dataset_version.title if run.dataset_version else "",
        "held-out data": run.held_out.title if run.held_out else "",
        "seed": run.seed,
        "gpus": run.gpus,
    }
    of_adapter = {f"{run.adapter}.{name}": value for name, value in run.adapter_parameters.items()}
    inputs = {f"inputs:{name}": str(value) for name, value in run.inputs.items()}
    graded = {f"grader {each['name']}": _said(each) for each in run.graders}
    return fixed | inputs | graded | run.parameters | of_adapter


def _said(grader: dict[str, Any]) -> str:
    """A grader of a run in one line: its kind, weight and settings."""
    settings = ", ".join(f"{name} {value}" for name, value in grader["parameters"].items())
    return f"{grader['grader']} × {grader['weight']:g}" + (f" ({settings})" if settings else "")


def table(runs: Sequence[Run], *, differences_only: bool = True) -> list[dict[str, Any]]:
    """Rows `{"setting", "values": [one a run], "differs"}`; a setting a run does not have reads None."""
    settings = [settings_of(run) for run in runs]
    names = dict.fromkeys(name for each in settings for name in each)
    rows = []
    for name in names:
        values = [each.get(name) for each in settings]
        differs = any(value != values[0] for value in values)
        if differs or not differences_only:
            rows.append({"setting": name, "values": values, "differs": differs})
    return rows
