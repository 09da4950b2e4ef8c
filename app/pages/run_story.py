"""What happened to a run, as a timeline: launched, claimed, interrupted, resumed, ended. A helper of /run.

It words the audit trail (`studio.events`) and adds the kept checkpoints; it decides and stores nothing.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.parts import Query, render
from studio import events, marks
from studio.models import Event, Model, Run

# (what happened, kind of mark); `run queued` and the others come from the state a run moved to.
WORDS = {
    "run launched": ("Launched", "info"),
    "run claimed": ("Taken up by a worker", "info"),
    "run running": ("Training began", "running"),
    "run queued": ("Back in the queue", "warn"),
    "run paused": ("Paused", "paused"),
    "run succeeded": ("Done", "succeeded"),
    "run failed": ("Failed", "failed"),
    "run cancelled": ("Stopped", "cancelled"),
    marks.WENT_ON: ("Went on", "info"),
    marks.CHANGED: ("Trains otherwise than before", "info"),
    "run imported": ("Imported", "info"),
    "run thinned": ("Points thinned", "info"),
    "run mirrored": ("Mirrored", "info"),
    "run not mirrored": ("Not mirrored for now", "warn"),
    "run mirrored again": ("Mirrored again", "info"),
    "run asked to stop": ("Asked to stop", "wait"),
    "run asked to pause": ("Asked to pause", "wait"),
}
RESUMED = {"failed", "cancelled", "paused"}  # states a person brings a run back from


@dataclass(frozen=True)
class Moment:
    time: datetime
    title: str
    kind: str
    note: str
    who: str


def show(session: Session, run: Run, _query: Query) -> Markup:
    moments = [tell(event) for event in events.of(session, f"run:{run.id}")]
    checkpoints = [
        (mark.step, mark.title.removeprefix("Checkpoint "), datetime.fromtimestamp(mark.time or 0, UTC))
        for mark in reversed(marks.of(session, [run])[run.id])
        if mark.kind == "checkpoint"
    ]
    made = session.scalars(select(Model).where(Model.run_id == run.id).order_by(Model.id)).all()
    return render(
        "run_story.html", run=run, moments=list(reversed(moments)), checkpoints=checkpoints, models=made
    )


def tell(event: Event) -> Moment:
    title, kind = WORDS.get(event.what, (event.what.removeprefix("run ").capitalize(), "info"))
    details = event.details
    if event.what == "run queued" and details.get("before") in RESUMED:
        title, kind = "Resumed", "info"
    return Moment(event.time, title, kind, ", ".join(notes(event.what, details)), event.who)


def notes(what: str, details: dict[str, Any]) -> list[str]:
    found = []
    if what == "run claimed":
        found.append(f"attempt {details.get('attempt')}")
        found.append(f"on {', '.join(map(device, details.get('devices', [])))}")
    if what == marks.WENT_ON:
        found.append(f"from step {details['step']:,}" if details["step"] else "from the start")
    found += details.get("changes", [])
    if why := details.get("why"):
        found.append(str(why))
    code = details.get("exit_code")
    if what in ("run queued", "run failed") and code:
        found.append(
            f"the trainer was killed by signal {-code}" if code < 0 else f"the trainer ended with code {code}"
        )
    return found


def device(name: str) -> str:
    """`gpu:GPU-1a2b…` as "GPU 1a2b", `cpu:0` as "CPU slot 0"."""
    kind, _, rest = name.partition(":")
    return {"gpu": f"GPU {rest.removeprefix('GPU-')[:8]}", "cpu": f"CPU slot {rest}"}.get(kind, name)
