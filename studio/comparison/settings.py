"""The settings of runs beside each other, which of them differ, and what they are called."""

from collections.abc import Sequence
from typing import Any

from studio import adapters, techniques
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


def titles(runs: Sequence[Run]) -> dict[str, str]:
    """Setting name, as `settings_of` calls it, to its title; others are called what they are named."""
    found = {"gpus": "Devices"}
    for run in runs:
        if techniques.has(run.technique):
            fields = techniques.get(run.technique).parameters.model_fields.items()
            found |= {name: field.title or name for name, field in fields}
        if adapters.has(run.adapter):
            adapter = adapters.get(run.adapter)
            of_adapter = adapter.parameters.model_fields.items()
            found |= {
                f"{run.adapter}.{name}": f"{adapter.title}: {field.title or name}"
                for name, field in of_adapter
            }
    return found


def worded(value: Any) -> str:
    """A setting's value as it is read, and typed in a search."""
    if value is None or value == "":
        return "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)
