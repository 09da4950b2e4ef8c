"""What the tests of ladders and climbs share: made-up runs and evaluations of the sample use case, with
scores given by hand in place of trainings; and a small use case in a running studio."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from sqlalchemy.orm import Session

from studio import db, evaluations, runs, sample
from studio.models import EvaluationItem, Kind, Model, Project, Run, State
from tests import made_runs
from tests.running import ROOT, SAMPLE, RunningStudio

Scores = Callable[[str], float]
"""Which share of its answers a contestant of this name gets right."""


def use_case() -> int:
    """The sample use case, loaded; its id."""
    return sample.load()


def trained(session: Session, project_id: int, technique: str = "sft", name: str = "") -> Model:
    """The model of a run of the use case that has succeeded."""
    config = sample.first_config(session, project_id)
    if technique != "sft":
        title = "Medication directions: " + ("preference pairs" if technique == "dpo" else "prompts")
        graders = [] if technique == "dpo" else [{"grader": "exact_match"}]
        changed = {"technique": technique, "dataset": title, "held_out": "", "graders": graders}
        config = runs.RunConfig.model_validate(config.model_dump() | changed)
    run = runs.launch(session, config.model_copy(update={"name": name or f"my {technique}"}))
    return succeed(session, run)


def succeed(session: Session, run: Run) -> Model:
    """Brings a training to its end, with a model."""
    finish(session, run)
    known = {"kind": "language", "parameters": run.model.parameters if run.model else None}
    model = Model(
        name=f"{run.name} {run.id}",
        source=f"runs/{run.id}/model",
        run_id=run.id,
        base_id=run.model_id,
        **known,
    )
    session.add(model)
    session.flush()
    return model


def finish(session: Session, run: Run, state: State = State.SUCCEEDED) -> None:
    for each in made_runs.PATHS[state]:
        runs.move(session, run, each)


def answer(session: Session, run: Run, share: Scores, questions: int = 100, tries: float = 0.5) -> None:
    """Ends an evaluation with made-up scores: each contestant right on the first part of the questions, and
    `tries` of the questions right in one of eight."""
    samples = run.parameters["samples"]
    for contestant, name in enumerate(evaluations.names(run)):
        for number in range(questions):
            for take in range(1 + samples):
                right = number < round(share(name) * questions) if take == 0 else number < tries * questions
                session.add(
                    EvaluationItem(
                        run_id=run.id,
                        contestant=contestant,
                        number=number,
                        take=take,
                        answer="{}",
                        scores={run.graders[0]["name"]: float(right)},
                        seconds=0.01,
                        tokens=20,
                    )
                )
    finish(session, run)


def measured(
    project_id: int, entered: Sequence[Model], share: Scores, questions: int = 100, samples: int = 0
) -> int:
    """An evaluation of models of the use case that is done; its id."""
    with db.transaction() as session:
        run = evaluations.launch(
            session,
            evaluations.EvaluationConfig(
                contestants=[each.id for each in entered] or [sample.STARTER_NAME],
                dataset="Medication directions: held out",
                graders=["exact_match"],
                project=project_id,
                samples=samples,
            ),
        )
        answer(session, run, share, questions)
        return run.id


def project(session: Session, project_id: int) -> Project:
    return session.get_one(Project, project_id)


def waiting(session: Session, kind: Kind) -> Run:
    """The one run of this kind that is in the queue."""
    (found,) = session.query(Run).filter_by(kind=kind, state=State.QUEUED).all()
    return found


# ---- in a running studio ----

SMALL = """
import sys
from studio import db, use_cases, weights
from studio.datasets import library
from studio.models import Project
name, labelled, held_out = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with db.transaction() as session:
    criterion = {"name": "Right", "grader": {"grader": "exact_match"}, "target": 1}
    first = use_cases.Criterion.model_validate(criterion)
    project = Project(name=name, criteria=use_cases.kept([first]), held_out_id=held_out)
    project.model_id, project.answers = weights.find(session, "Tunesmith starter").id, {"out_tokens": 30}
    session.add(project)
    session.flush()
    for version in (labelled, held_out):
        library.get_version(session, version).dataset.project_id = project.id
    print(project.id)
"""


def small(studio: RunningStudio, folder: Path, name: str = "Short directions") -> int:
    """A use case with 60 labelled directions and 30 held-out questions; its id."""
    versions = []
    for source, rows in (("train.jsonl", 60), ("test.jsonl", 30)):
        path = folder / source
        path.write_text("".join((SAMPLE / source).read_text().splitlines(keepends=True)[:rows]))
        versions.append(studio.upload(path, f"{name}: {source}")["id"])
    made = subprocess.run(
        [sys.executable, "-c", SMALL, name, *map(str, versions)],
        cwd=ROOT,
        env=studio.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return int(made.stdout)
