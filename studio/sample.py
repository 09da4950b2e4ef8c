"""The sample use case: a synthetic project with its datasets, the starter model, and a first run.

Its files are shipped in `examples/`; loading twice changes nothing.
"""

from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from studio import db, runs, use_cases, weights
from studio.datasets import inspection, library
from studio.errors import NotFound
from studio.models import Model, Project, Run
from studio.runs import RunConfig
from studio.use_cases import Criterion

EXAMPLES = Path(__file__).parent.parent / "examples"
STARTER = EXAMPLES / "starter-model"
USE_CASE = EXAMPLES / "medication_directions"
STARTER_NAME = "Tunesmith starter"


def describe() -> dict[str, Any]:
    """The use case as its folder tells it."""
    path = USE_CASE / "use_case.json"
    if not path.exists():
        raise NotFound(
            "The examples folder is not here.", hint="Start the studio from a clone of its repository."
        )
    return dict(orjson.loads(path.read_bytes()))


def add_starter(session: Session) -> Model | None:
    """The built-in starter model, registered under its name; None where the examples are not installed."""
    known = session.scalar(select(Model).where(Model.name == STARTER_NAME))
    if known is None and STARTER.is_dir():
        note = (
            "Small, built in, pretrained on synthetic text only. For learning the studio, not for real work."
        )
        known = weights.add(session, str(STARTER), name=STARTER_NAME, note=note, licence="Apache-2.0")
    if known is not None:
        known.source = str(STARTER.resolve())  # the clone may have moved
    return known


def load(who: str = "") -> int:
    """Loads datasets, project and model; returns the project's id."""
    about = describe()
    prepared: list[tuple[dict[str, Any], Path, inspection.Report]] = []
    for each in about["datasets"]:
        prepared.append((each, *library.prepare(USE_CASE / each["file"], each["file"])))
    with db.transaction() as session:
        project = session.scalar(select(Project).where(Project.name == about["name"]))
        if project is None:
            project = Project(
                name=about["name"],
                problem=about["problem"],
                users=about["users"],
                stakes=about["guide_answers"]["stakes"],
                criteria=use_cases.kept([Criterion.model_validate(each) for each in about["criteria"]]),
                origin=USE_CASE.name,
                answers=about["guide_answers"],
            )
            session.add(project)
            session.flush()
        for each, folder, report in prepared:
            library.add(
                session,
                folder,
                report,
                name=each["name"],
                original=each["file"],
                project_id=project.id,
                split=library.HELD_OUT if each.get("held_out") else "",
                who=who,
            )
        add_starter(session)
        return project.id


def first_config(session: Session, project_id: int) -> RunConfig:
    """Supervised fine-tuning of the starter on the labelled directions, measured on those held out."""
    titles = {each["file"]: each["name"] for each in describe()["datasets"]}
    return RunConfig(
        name="Medication directions: first fine-tuning",
        technique="sft",
        adapter="full",
        model=STARTER_NAME,
        dataset=titles["train.jsonl"],
        held_out=titles["test.jsonl"],
        project=project_id,
    )


def start(who: str = "") -> int:
    """Loads the use case and starts its first run, unless there is one; returns the run's id."""
    project_id = load(who)
    with db.transaction() as session:
        first = session.scalar(select(Run.id).where(Run.project_id == project_id).order_by(Run.id).limit(1))
        return first or runs.launch(session, first_config(session, project_id), who).id
