"""A run in the words of other trackers: its settings as flat text, its tags, its state by their names.
Exports and mirrors share it."""

import json
import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from studio.models import Project, Run, State

# MLflow's names; in its files they are numbers, counted from 1.
STATUSES = ("RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED")
LONGEST_NAME = 250
STATUS_OF = {
    State.QUEUED: "SCHEDULED",
    State.PAUSED: "SCHEDULED",
    State.SUCCEEDED: "FINISHED",
    State.FAILED: "FAILED",
    State.CANCELLED: "KILLED",
}


@dataclass(frozen=True)
class Sketch:
    """What another tracker is told of a run besides its metrics. Times are seconds since 1970."""

    project: str
    name: str
    settings: dict[str, str]
    tags: dict[str, str]
    state: State
    began: float
    ended: float | None


def sketch(session: Session, run: Run) -> Sketch:
    project = session.get(Project, run.project_id) if run.project_id else None
    return Sketch(
        project=project.name if project else "tunesmith",
        name=run.name,
        settings=settings_of(run),
        tags=tags_of(run),
        state=run.state,
        began=(run.started or run.created).timestamp(),
        ended=run.ended.timestamp() if run.ended else None,
    )


def settings_of(run: Run) -> dict[str, str]:
    """All that was chosen for a run, by name; the adapter's and the graders' settings after theirs."""
    graders = {f"grader.{each['name']}": each for each in run.graders}
    of_adapter = {f"adapter.{name}": value for name, value in run.adapter_parameters.items()}
    found: dict[str, Any] = run.parameters | of_adapter | graders | {"seed": run.seed}
    return {name: _said(value) for name, value in found.items()}


def tags_of(run: Run) -> dict[str, str]:
    found = {
        "technique": run.technique,
        "adapter": run.adapter,
        "model": run.model.name if run.model else "",
        "dataset": run.dataset_version.title if run.dataset_version else "",
        "tags": ", ".join(run.tags),
        "tunesmith.run": str(run.id),
    }
    return {name: value for name, value in found.items() if value}


def status(state: State) -> str:
    return STATUS_OF.get(state, "RUNNING")


def mlflow_name(name: str) -> str:
    """As MLflow takes names of metrics, settings and tags: letters, digits and a few signs."""
    return re.sub(r"[^\w\-. /]", "_", name, flags=re.ASCII)[:LONGEST_NAME]


def _said(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
