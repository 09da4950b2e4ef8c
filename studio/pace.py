"""How fast this studio's runs have been: what `studio.estimate.time` learns from.

A run counts when it ended well at its first attempt: of others it is not known how long they stood still.
"""

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from studio import adapters, lineage, metrics, techniques
from studio.estimate.time import Past
from studio.estimate.work import Job
from studio.models import DatasetVersion, Host, Kind, Run, State

MOST = 60  # runs, the newest: machines and libraries change


def past(session: Session) -> list[Past]:
    """The finished trainings, the newest first."""
    devices = titles(session)
    found = []
    finished = session.execute(_finished()).all()
    logged = metrics.ends(session, [run.id for run, _ in finished])
    for run, version in finished:
        job = _job(session, run, version)
        if job is None or run.host not in devices or run.id not in logged:
            continue
        first, last = logged[run.id]
        if run.started is None or run.ended is None or last.step <= first.step:
            continue
        stepping = (last.time - first.time) / (last.step - first.step) * run.step
        around = (run.ended - run.started).total_seconds() - stepping
        if stepping > 0:
            done = min(1.0, run.step / (run.total_steps or run.step))
            found.append(Past(job, done, devices[run.host], stepping, max(around, 0.0)))
    return found


def titles(session: Session) -> dict[str, str]:
    """What each host trains on."""
    found = {}
    for name, devices in session.execute(select(Host.name, Host.devices)):
        training = [each for each in devices if Kind.TRAIN.value in each.get("kinds", ())]
        if training:
            found[name] = str(training[0].get("title", ""))
    return found


def lengths(version: DatasetVersion, field: str = "row", of: str = "characters") -> dict[str, float]:
    """How long that field of its rows is: min, median, p95, max and total; empty where it was not counted."""
    fields = version.report.get("statistics", {}).get("fields", {})
    return dict(fields.get(field, {}).get(of, {}))


def _finished() -> Select[Run, DatasetVersion]:
    """Runs with their data."""
    return (
        select(Run, DatasetVersion)
        .join(DatasetVersion, Run.dataset_version_id == DatasetVersion.id)
        .where(Run.kind == Kind.TRAIN, Run.state == State.SUCCEEDED, Run.attempt == 1)
        .order_by(Run.id.desc())
        .limit(MOST)
    )


def _job(session: Session, run: Run, version: DatasetVersion) -> Job | None:
    model = lineage.whole(session, run.model)
    total = lengths(version).get("total")
    if not (model and model.parameters and total and version.rows and run.step):
        return None
    if not (techniques.has(run.technique) and adapters.has(run.adapter)):
        return None
    return Job(
        technique=techniques.get(run.technique),
        adapter=adapters.get(run.adapter),
        settings=run.parameters,
        rows=version.rows,
        characters=total / version.rows,
        parameters=model.parameters,
        gpus=run.gpus,
    )
