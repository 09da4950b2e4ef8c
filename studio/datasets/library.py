"""The dataset library: files become versions of named datasets, and are found again.

What a file contains is decided by `inspection`; this keeps it. A version never changes. The readers are
imported when a file is read: a run's own processes, which only look versions up, start faster without them.
"""

import hashlib
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from studio import events, storage
from studio.errors import NotFound, Refused
from studio.models import Dataset, DatasetVersion, Run, now

if TYPE_CHECKING:
    from studio.datasets.inspection import Report

TRAIN, HELD_OUT = "train", "held-out"


def prepare(path: Path, original: str, **options: Any) -> "tuple[Path, Report]":
    """Reads the file into a fresh folder (rows.jsonl, its index, the original) before any transaction.

    Raises StudioError, and leaves nothing behind, when no row can be used."""
    from studio.datasets import inspection

    folder = _new_folder()
    try:
        report = inspection.inspect(path, name=original, write_to=folder / "rows.jsonl", **options)
        shutil.copyfile(path, folder / "original")
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder, report


def add(
    session: Session,
    folder: Path,
    report: "Report",
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
    name = name_of(name, original)
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
    if newest and (newest.sha256, newest.format) == (report.sha256, report.format):
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
    """A version by its id, by `name` (the newest that was not held out), or by `name@2`."""
    text = str(reference).strip()
    if text.isdigit():
        return get_version(session, int(text))
    name, _, number = text.rpartition("@") if "@" in text else (text, "", "")
    query = select(DatasetVersion).join(Dataset).where(Dataset.name == name)
    if number.isdigit():
        query = query.where(DatasetVersion.number == int(number))
    # Where a dataset has other versions, a part that was held out is only meant when it is named.
    newest = query.order_by(DatasetVersion.split == HELD_OUT, DatasetVersion.number.desc()).limit(1)
    version = session.scalar(newest.options(selectinload(DatasetVersion.dataset)))
    if version is None:
        raise NotFound(
            f"There is no dataset “{text}”.", hint="The Datasets page lists all of them.", field="dataset"
        )
    return version


def rows_path(version: DatasetVersion) -> Path:
    """The canonical rows: one JSON object a line, in the version's shape."""
    return storage.inside(version.folder) / "rows.jsonl"


def original_path(version: DatasetVersion) -> Path:
    """The file as it was uploaded, byte for byte."""
    return storage.inside(version.folder) / "original"


def rows_of(version: DatasetVersion, start: int, count: int) -> list[dict[str, Any]]:
    """A page of canonical rows, found by the offset index without reading what comes before."""
    from studio.datasets import canonical

    return canonical.rows(rows_path(version), start=start, count=count)


def prepare_split(version: DatasetVersion, share: float, seed: int) -> "list[tuple[str, Path, Report]]":
    """Cuts a version in two: ("train", folder, report) and ("held-out", folder, report)."""
    from studio.datasets import inspection
    from studio.datasets import split as splitting

    parts = []
    train, held_out = _new_folder(), _new_folder()
    try:
        splitting.split(
            rows_path(version), train / "rows.jsonl", held_out / "rows.jsonl", share=share, seed=seed
        )
        for name, folder in ((TRAIN, train), (HELD_OUT, held_out)):
            report = inspection.inspect(folder / "rows.jsonl")
            parts.append((name, folder, report.model_copy(update=_as_kept(version, folder))))
    except BaseException:
        for folder in (train, held_out):
            shutil.rmtree(folder, ignore_errors=True)
        raise
    return parts


def name_of(name: str, original: str) -> str:
    """What a dataset is called: as was said, else as its file is."""
    return name.strip() or Path(original).stem or "dataset"


def add_split(
    session: Session, version_id: int, parts: "list[tuple[str, Path, Report]]", who: str = ""
) -> list[DatasetVersion]:
    """Keeps both parts as versions of the same dataset."""
    parent = get_version(session, version_id)
    return [
        add(session, folder, report, name=parent.dataset.name, parent=parent, split=name, who=who)
        for name, folder, report in parts
    ]


def _as_kept(version: DatasetVersion, folder: Path) -> dict[str, object]:
    """The rows are canonical already: what was said of the uploaded file's format stays true."""
    path = folder / "rows.jsonl"
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    kept = {key: version.report[key] for key in ("format", "format_title", "shape", "why")}
    return kept | {"sha256": digest, "bytes": path.stat().st_size, "fits": version.report["fits"]}


def _new_folder() -> Path:
    return storage.made(storage.inside(f"datasets/{now():%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"))


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
