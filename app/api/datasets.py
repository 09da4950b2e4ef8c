"""Datasets over REST: upload, look at, split, read again in another way."""

import secrets
import shutil
from pathlib import Path
from typing import Any

import orjson
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field
from sqlalchemy import select
from starlette.concurrency import run_in_threadpool

from app.api.plain import plain
from app.people import who
from studio import db, settings, storage, use_cases
from studio.datasets import inspection, library
from studio.errors import StudioError
from studio.models import Dataset, DatasetVersion

router = APIRouter(prefix="/api", tags=["datasets"])


class Split(BaseModel):
    share: float = Field(0.1, gt=0, lt=1, description="Part of the rows that is held out.")
    seed: int = 0


class Reread(BaseModel):
    format: str | None = None
    columns: dict[str, str] | None = None


def version_json(version: DatasetVersion) -> dict[str, Any]:
    address = f"/dataset?id={version.dataset_id}&version={version.number}"
    names = "id number shape format rows bad_rows bytes sha256 original split parent_id created"
    return plain(version, names) | {"title": version.title, "url": address}


def dataset_json(dataset: Dataset) -> dict[str, Any]:
    return {
        "id": dataset.id,
        "name": dataset.name,
        "note": dataset.note,
        "created": dataset.created,
        "versions": [version_json(version) for version in dataset.versions],
        "url": f"/dataset?id={dataset.id}",
    }


@router.post(
    "/datasets",
    status_code=201,
    openapi_extra={"requestBody": {"content": {"application/octet-stream": {}}, "required": True}},
)
async def upload(
    request: Request,
    file: str = Query(..., max_length=300, description="The file's name; its ending says how it is packed."),
    name: str = Query("", max_length=200, description="The dataset's name; the file's, when left out."),
    format: str | None = Query(None, description="Read it as this format instead of the detected one."),
    columns: str = Query("", max_length=10_000, description="Our field → the file's column, as JSON."),
    project: int | None = Query(None, description="The use case that the dataset then belongs to."),
) -> dict[str, Any]:
    """Takes a file as the request's body: `curl --data-binary @train.jsonl '…?file=train.jsonl'`.

    It is streamed to disk. A file in which no row can be used is refused and nothing is stored."""
    path = await receive(request, file)
    try:
        read = mapping(columns)
        return await run_in_threadpool(keep, path, file, name, who(request), format, read, project_id=project)
    finally:
        path.unlink()


def mapping(columns: str) -> dict[str, str] | None:
    """`{"prompt": "Frage"}` from the address."""
    if not columns:
        return None
    try:
        found = orjson.loads(columns)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise StudioError(
            "columns must be a JSON object of names.", hint='{"prompt": "Frage"}', field="columns"
        )
    return found


async def receive(request: Request, name: str) -> Path:
    """The body in a file with a name of our own; only the ending is the sender's, and only if it is plain."""
    announced = request.headers.get("content-length", "")
    most, folder = settings.get().max_upload, storage.uploads()
    if announced.isdigit():
        _check_size(int(announced), most)
        storage.check_space(2 * int(announced), folder)
    endings = "".join(s for s in Path(name).suffixes[-2:] if s[1:].isalnum())
    path, size = folder / (secrets.token_hex(16) + endings.lower()), 0
    try:
        with path.open("xb") as out:
            async for chunk in request.stream():
                size += len(chunk)
                _check_size(size, most)
                out.write(chunk)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def _check_size(size: int, most: int) -> None:
    if size > most:
        raise StudioError(
            f"The file is larger than {most / 2**30:.0f} GiB.",
            hint="Split it, or raise TUNESMITH_MAX_UPLOAD.",
            field="file",
        )


def keep(
    path: Path,
    original: str,
    name: str,
    by: str,
    format: str | None = None,
    columns: dict[str, str] | None = None,
    parent_id: int | None = None,
    project_id: int | None = None,
) -> dict[str, Any]:
    if project_id is not None:
        check_owner(library.name_of(name, original), project_id)
    folder, report = library.prepare(path, original, format=format, columns=columns)
    with db.transaction() as session:
        parent = library.get_version(session, parent_id) if parent_id else None
        version = library.add(
            session, folder, report, name=name, original=Path(original).name, parent=parent, who=by
        )
        if project_id is not None:
            use_cases.assign(session, version.dataset_id, project_id, by)
        return version_json(version) | {
            "dataset_id": version.dataset_id,
            **report.model_dump(mode="json", include={"bad_rows", "findings", "format_title", "why", "fits"}),
        }


def check_owner(name: str, project_id: int) -> None:
    """Raises StudioError where a dataset of this name belongs to another use case: it would be taken away."""
    with db.reading() as session:
        use_cases.get(session, project_id)
        known = session.scalar(select(Dataset).where(Dataset.name == name))
        if known is not None and known.project_id not in (None, project_id):
            owner = use_cases.get(session, known.project_id)
            raise StudioError(
                f"“{name}” belongs to the use case “{owner.name}”.",
                hint="Give the file another name.",
                field="file",
            )


@router.post(
    "/datasets/inspect", openapi_extra={"requestBody": {"content": {"application/octet-stream": {}}}}
)
async def look(request: Request, file: str = Query(..., max_length=300)) -> inspection.Report:
    """Says what a file contains without keeping it."""
    path = await receive(request, file)
    try:
        return await run_in_threadpool(inspection.inspect, path, name=file)
    finally:
        path.unlink()


@router.get("/datasets")
def listed() -> list[dict[str, Any]]:
    with db.reading() as session:
        return [dataset_json(dataset) for dataset in library.listed(session)]


@router.get("/datasets/{dataset_id}")
def show(dataset_id: int) -> dict[str, Any]:
    with db.reading() as session:
        return dataset_json(library.get(session, dataset_id))


@router.delete("/datasets/{dataset_id}", status_code=204)
def delete(dataset_id: int, request: Request) -> Response:
    """Removes a dataset that no run has learned from."""
    with db.transaction() as session:
        folders = library.delete(session, dataset_id, who(request))
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    return Response(status_code=204)


@router.get("/versions/{version_id}")
def show_version(version_id: int) -> dict[str, Any]:
    """One version with its whole report."""
    with db.reading() as session:
        version = library.get_version(session, version_id)
        return version_json(version) | {"report": version.report}


@router.get("/versions/{version_id}/rows")
def rows(
    version_id: int, start: int = Query(0, ge=0), count: int = Query(50, ge=1, le=1000)
) -> dict[str, Any]:
    """Rows as they are kept, one page of them."""
    with db.reading() as session:
        version = library.get_version(session, version_id)
    return {"rows": library.rows_of(version, start, count), "total": version.rows}


@router.get("/versions/{version_id}/download")
def download(version_id: int) -> FileResponse:
    """The rows in their canonical form, as JSON lines."""
    with db.reading() as session:
        version = library.get_version(session, version_id)
        name = f"{version.dataset.name}-v{version.number}.jsonl"
    return FileResponse(library.rows_path(version), filename=name, media_type="application/x-ndjson")


@router.post("/versions/{version_id}/split", status_code=201)
def split(version_id: int, wish: Split, request: Request) -> dict[str, Any]:
    """Two new versions: rows to train on, and rows held out. Equal rows stay on one side."""
    with db.reading() as session:
        version = library.get_version(session, version_id)
    made = library.prepare_split(version, wish.share, wish.seed)
    with db.transaction() as session:
        train, held_out = library.add_split(session, version_id, made, who(request))
        return {
            "train": version_json(train),
            "held_out": version_json(held_out),
            "url": version_json(train)["url"],
        }


@router.post("/versions/{version_id}/reread", status_code=201)
def reread(version_id: int, wish: Reread, request: Request) -> dict[str, Any]:
    """Reads the original file again in another format or with other columns, as a new version."""
    with db.reading() as session:
        version = library.get_version(session, version_id)
        name = version.dataset.name
    return keep(
        library.original_path(version),
        version.original,
        name,
        who(request),
        wish.format,
        wish.columns,
        version_id,
    )
