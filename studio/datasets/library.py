"""The dataset library: files become versions of named datasets, and are found again.

What a file contains is decided by `inspection`; this keeps it. A version never changes.
"""

import shutil
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from studio import events, storage
from studio.datasets import inspection
from studio.errors import NotFound, Refused
from studio.models import Dataset, DatasetVersion, Run, now


def prepare(path: Path, original: str, **options: object) -> tuple[Path, inspection.Report]:
    """Reads the file into a fresh folder (rows.jsonl, its index, the original) before any transaction.

    Raises StudioError, and leaves nothing behind, when no row can be used."""
    folder = storage.made(storage.inside(f"datasets/{now():%Y%m%d-%H%M%S-%f}"))
    try:
        report = inspection.inspect(path, name=original, write_to=folder / "rows.jsonl", **options)  # type: ignore[arg-type]
        shutil.copyfile(path, folder / "original")
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder, report


def add(
    session: Session,
    folder: Path,
    report: inspection.Report,
    *,
    name: str,
    original: str = "",
    project_id: int | None = None,
    parent: DatasetVersion | None = None,
    split: str = "",
    who: str = "",
) -> DatasetVersion:
    """Keeps what `prepare` made as the next version of the dataset called `name`.

    The same rows under the same name are not kept twice: the existing version is returned."""
    name = name.strip() or Path(original).stem or "dataset"
    dataset = session.scalar(select(Dataset).where(Dataset.name == name))
    if dataset is None:
        dataset = Dataset(name=name, project_id=project_id)
        session.add(dataset)
        session.flush()
    newest = session.scalar(
        select(DatasetVersion)
        .where(DatasetVersion.dataset_id == dataset.id)
        .order_by(DatasetVersion.number.desc())
        .limit(1)
    )
    if newest and newest.sha256 == report.sha256 and newest.shape == report.shape:
        shutil.rmtree(folder)
        return newest
    version = DatasetVersion(
        dataset=dataset,
        number=newest.number + 1 if newest else 1,
        shape=report.shape,
        format=report.format,
        rows=report.rows,
        bad_rows=report.bad_row_count,
        bytes=(folder / "rows.jsonl").stat().st_size,
        sha256=report.sha256,
        folder=storage.relative(folder),
        original=original,
        split=split,
        parent_id=parent.id if parent else None,
        report=report.model_dump(mode="json"),
    )
    session.add(version)
    session.flush()
    events.record(session, "dataset version added", f"dataset:{dataset.id}", who, version=version.number)
    return version


def listed(session: Session) -> list[Dataset]:
    """Datasets with their versions, the newest first."""
    return list(
        session.scalars(select(Dataset).order_by(Dataset.id.desc()).options(selectinload(Dataset.versions)))
    )


def get(session: Session, dataset_id: int) -> Dataset:
    dataset = session.get(Dataset, dataset_id, options=[selectinload(Dataset.versions)])
    if dataset is None:
        raise NotFound(f"There is no dataset {dataset_id}.", hint="The Datasets page lists all of them.")
    return dataset


def get_version(session: Session, version_id: int) -> DatasetVersion:
    version = session.get(DatasetVersion, version_id, options=[selectinload(DatasetVersion.dataset)])
    if version is None:
        raise NotFound(f"There is no dataset version {version_id}.", field="dataset")
    return version


def find_version(session: Session, reference: str | int) -> DatasetVersion:
    """A version by its id, by `name` (the newest), or by `name@2`."""
    text = str(reference).strip()
    if text.isdigit():
        return get_version(session, int(text))
    name, _, number = text.rpartition("@") if "@" in text else (text, "", "")
    query = select(DatasetVersion).join(Dataset).where(Dataset.name == name)
    query = query.where(DatasetVersion.number == int(number)) if number.isdigit() else query
    version = session.scalar(
        query.order_by(DatasetVersion.number.desc()).limit(1).options(selectinload(DatasetVersion.dataset))
    )
    if version is None:
        raise NotFound(
            f"There is no dataset “{text}”.", hint="The Datasets page lists all of them.", field="dataset"
        )
    return version


def rows_path(version: DatasetVersion) -> Path:
    """The canonical rows: one JSON object a line, in the version's shape."""
    return storage.inside(version.folder) / "rows.jsonl"


def delete(session: Session, dataset_id: int, who: str = "") -> list[Path]:
    """Removes a dataset no run has used; returns the folders to remove after the commit."""
    dataset = get(session, dataset_id)
    ids = [version.id for version in dataset.versions]
    users = session.scalar(
        select(func.count()).where(Run.dataset_version_id.in_(ids) | Run.held_out_id.in_(ids))
    )
    if users:
        raise Refused(
            f"{users} run{'s' if users > 1 else ''} learned from “{dataset.name}”.",
            hint="Runs must be traceable to their data, so delete those runs first.",
        )
    folders = [storage.inside(version.folder) for version in dataset.versions]
    events.record(session, "dataset deleted", f"dataset:{dataset.id}", who, name=dataset.name)
    session.delete(dataset)
    return folders
