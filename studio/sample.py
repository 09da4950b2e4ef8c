"""Templates: use cases to begin with, each with synthetic data, the starter model and what the guide knows.

A folder of `examples/` with a `use_case.json` is one. Loading it twice changes nothing. The first of them is
the sample, whose first run is started with it.
"""

from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from studio import db, runs, use_cases, weights
from studio.datasets import inspection, library
from studio.errors import NotFound
from studio.models import Dataset, DatasetVersion, Model, Project, Run
from studio.runs import RunConfig
from studio.use_cases import Criterion

EXAMPLES = Path(__file__).parent.parent / "examples"
STARTER = EXAMPLES / "starter-model"
STARTER_NAME = "Tunesmith starter"
SAMPLE = "medication_directions"


def templates() -> list[tuple[str, dict[str, Any]]]:
    """The name and the content of each template, in the order their files ask for."""
    found = [
        (path.parent.name, dict(orjson.loads(path.read_bytes()))) for path in EXAMPLES.glob("*/use_case.json")
    ]
    return sorted(found, key=lambda each: (each[1].get("order", 100), each[0]))


def describe(name: str = SAMPLE) -> dict[str, Any]:
    """A template as its folder tells it."""
    known = dict(templates())
    if not known:
        raise NotFound(
            "The examples folder is not here.", hint="Start the studio from a clone of its repository."
        )
    if name not in known:
        raise NotFound(f"There is no template “{name}”.", hint=f"Choose one of: {', '.join(known)}.")
    return known[name]


def instruction(project: Project) -> str:
    """What a model of this use case is told first, by the template it began as; empty for one's own."""
    return str(dict(templates()).get(project.origin, {}).get("system_prompt", ""))


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


def load(name: str = SAMPLE, who: str = "") -> int:
    """Loads a template's datasets, use case and model; returns the use case's id."""
    about = describe(name)
    prepared: list[tuple[dict[str, Any], Path, inspection.Report]] = []
    for each in about["datasets"]:
        prepared.append((each, *library.prepare(EXAMPLES / name / each["file"], each["file"])))
    with db.transaction() as session:
        project = _find(session, name, about) or _begin(session, name, about)
        for each, folder, report in prepared:
            version = _add(session, project, each, folder, report, who)
            if each.get("held_out") and project.held_out_id is None:
                project.held_out_id = version.id
        starter = add_starter(session)
        if project.model_id is None and starter is not None:
            session.flush()
            project.model_id = starter.id
        return project.id


def _find(session: Session, name: str, about: dict[str, Any]) -> Project | None:
    """The use case that began as this template, also one that an older studio loaded: then the template's
    data are its own."""
    if found := session.scalar(select(Project).where(Project.origin == name).order_by(Project.id).limit(1)):
        return found
    titles = [each["name"] for each in about["datasets"]]
    owner = select(Dataset.project_id).where(Dataset.name.in_(titles))
    older = session.scalar(select(Project).where(Project.name == about["name"], Project.id.in_(owner)))
    if older is not None:
        older.origin, older.answers = name, older.answers or about["guide_answers"]
    return older


def _begin(session: Session, name: str, about: dict[str, Any]) -> Project:
    taken = session.scalar(select(Project.id).where(Project.name == about["name"]))
    project = Project(
        name=f"{about['name']} (sample)" if taken else about["name"],
        problem=about["problem"],
        users=about["users"],
        stakes=about["guide_answers"]["stakes"],
        criteria=use_cases.kept([Criterion.model_validate(each) for each in about["criteria"]]),
        origin=name,
        answers=about["guide_answers"],
    )
    session.add(project)
    session.flush()
    return project


def _add(
    session: Session,
    project: Project,
    each: dict[str, Any],
    folder: Path,
    report: inspection.Report,
    who: str,
) -> DatasetVersion:
    version = library.add(
        session,
        folder,
        report,
        name=each["name"],
        original=each["file"],
        project_id=project.id,
        split=library.HELD_OUT if each.get("held_out") else "",
        who=who,
    )
    if version.dataset.project_id is None:  # left behind by a use case that was removed
        version.dataset.project_id = project.id
    return version


def first_config(session: Session, project_id: int) -> RunConfig:
    """Supervised fine-tuning of the starter on the template's labelled rows, measured on those held out."""
    name = use_cases.get(session, project_id).origin
    about = describe(name)
    titles = {each["file"]: each["name"] for each in about["datasets"]}
    return RunConfig(
        name=f"{about['name']}: first fine-tuning",
        technique="sft",
        adapter="full",
        model=STARTER_NAME,
        dataset=titles["train.jsonl"],
        held_out=titles["test.jsonl"],
        project=project_id,
    )


def start(name: str = SAMPLE, who: str = "") -> int:
    """Loads a template and starts its first run, unless there is one; returns the run's id."""
    project_id = load(name, who)
    with db.transaction() as session:
        first = session.scalar(select(Run.id).where(Run.project_id == project_id).order_by(Run.id).limit(1))
        return first or runs.launch(session, first_config(session, project_id), who).id
