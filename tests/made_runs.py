"""Runs in every state for the tests of pages, made with the studio's own functions and a real database."""

import hashlib
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from app import errors, parts
from app.pages import compare, home, import_run, run, runs, settings, workers
from studio import attempts, metrics
from studio import runs as engine
from studio.models import Dataset, DatasetVersion, Model, Run, State
from studio.runs import RunConfig

SHOWN = (home, runs, import_run, run, compare, workers, settings)
PAGES = [page.PAGE for page in SHOWN]  # their fragments are there now
CPU = {"name": "cpu:0", "title": "CPU", "gb": 16, "kinds": ["train"]}
PATHS: dict[State, Sequence[State]] = {
    State.QUEUED: (),
    State.CLAIMED: (State.CLAIMED,),
    State.RUNNING: (State.CLAIMED, State.RUNNING),
    State.PAUSED: (State.CLAIMED, State.RUNNING, State.PAUSED),
    State.SUCCEEDED: (State.CLAIMED, State.RUNNING, State.SUCCEEDED),
    State.FAILED: (State.CLAIMED, State.RUNNING, State.FAILED),
    State.CANCELLED: (State.CANCELLED,),
}


def fragments() -> TestClient:
    """A client that sees the fragments and nothing else, so that a test starts in milliseconds."""
    app = FastAPI()
    errors.install(app)
    app.include_router(parts.router)
    return TestClient(app)


def version(session: Session, name: str = "directions") -> DatasetVersion:
    made = DatasetVersion(
        dataset=Dataset(name=name),
        number=1,
        shape="chat",
        format="jsonl",
        rows=500,
        sha256=hashlib.sha256(name.encode()).hexdigest(),
        folder=f"datasets/{name}",
    )
    session.add(made)
    session.flush()
    return made


def base(session: Session, name: str = "starter") -> Model:
    model = Model(name=name, source=f"models/{name}", parameters=4_200_000, sha256="ab12" * 16)
    session.add(model)
    session.flush()
    return model


def made(
    session: Session,
    model: Model,
    data: DatasetVersion,
    state: State = State.QUEUED,
    *,
    losses: Sequence[float] = (),
    total: int | None = None,
    **config: Any,
) -> Run:
    """A launched run brought to `state` by the moves a worker makes; `losses` are its first steps."""
    made = engine.launch(session, RunConfig(model=model.id, dataset=data.id, **config), "ada")
    for next_state in PATHS[state]:
        made.attempt += next_state == State.CLAIMED
        details = {"devices": ["cpu:0"]} if next_state == State.CLAIMED else {}
        engine.move(session, made, next_state, "workstation", **details)
    made.step, made.total_steps = len(losses), total or (len(losses) or None)
    rows = [{"step": n + 1, "time": 1e9 + n, "data": {"loss": loss}} for n, loss in enumerate(losses)]
    metrics.append(session, made.id, rows)
    made.latest = {"loss": losses[-1]} if losses else {}
    return made


def host(session: Session, *devices: dict[str, Any], name: str = "workstation") -> None:
    attempts.describe_host(session, name, devices or [CPU], {"cores": 2, "memory_gb": 15.6})
