"""What a recommendation fills in: model, data and graders of its use case, so that one click starts the run.
Without a use case only what leaves no choice."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, ScalarResult, select
from sqlalchemy.orm import Session

from app.setup import Grading, Setup, offers
from studio import material, use_cases
from studio.datasets import library
from studio.models import Dataset, DatasetVersion, Project, Run
from studio.techniques import Technique


def fill(session: Session, setup: Setup, technique: Technique) -> None:
    """Fills in what the setup does not have yet."""
    project = session.get(Project, setup.project) if setup.project else None
    model = material.model_of(session, project)
    setup.model = setup.model or (str(model.id) if model else "")
    data = _training(session, technique, project)
    if data is not None:
        setup.dataset = setup.dataset or str(data.id)
        apart = _apart(session, technique, project, data)
        setup.held_out = setup.held_out or (str(apart.id) if apart else "")
    if technique.graded and project and not setup.graders:
        for choice in use_cases.measured_by(project):
            setup.add_grader(Grading.of(choice))


def _training(session: Session, technique: Technique, project: Project | None) -> DatasetVersion | None:
    """The use case's data of the shape that the technique likes best, of that the newest; without a use case
    the only dataset that fits."""
    kept_apart = _kept_apart(session, project)
    wanted = select(DatasetVersion).join(Dataset).where(DatasetVersion.shape.in_(technique.shapes))
    if project:
        wanted = wanted.where(Dataset.project_id == project.id)
    fitting: dict[int, DatasetVersion] = {}
    for version in session.scalars(wanted.order_by(DatasetVersion.number.desc())):
        known = fitting.get(version.dataset_id)
        if version.split == library.HELD_OUT or version.id in kept_apart:
            continue
        # Of a dataset that was split, the part to learn from: the whole holds what is measured on.
        if known is None or (version.split == library.TRAIN and known.split != library.TRAIN):
            fitting[version.dataset_id] = version
    if not project and len(fitting) != 1:
        return None
    order = technique.shapes.index
    return min(fitting.values(), key=lambda version: (order(version.shape), -version.id), default=None)


def _kept_apart(session: Session, project: Project | None) -> set[int | None]:
    """What runs were measured on, and what the use case is measured on."""
    return {*session.scalars(select(Run.held_out_id)), project.held_out_id if project else None}


def _apart(
    session: Session, technique: Technique, project: Project | None, data: DatasetVersion
) -> DatasetVersion | None:
    """What the run is measured on: the use case's held-out rows, else a part split off the training data."""
    shapes = offers.shapes_for(technique, "held_out")
    named = session.get(DatasetVersion, project.held_out_id) if project and project.held_out_id else None
    if named is not None and named.shape in shapes and named.sha256 != data.sha256:
        return named
    of = Dataset.project_id == project.id if project else DatasetVersion.dataset_id == data.dataset_id
    return next((each for each in _held_out(session, shapes, of) if each.sha256 != data.sha256), None)


def _held_out(
    session: Session, shapes: Sequence[str], of: ColumnElement[bool]
) -> ScalarResult[DatasetVersion]:
    """Versions that were held out, the newest first."""
    held = select(DatasetVersion).join(Dataset).where(DatasetVersion.split == library.HELD_OUT, of)
    return session.scalars(held.where(DatasetVersion.shape.in_(shapes)).order_by(DatasetVersion.id.desc()))
