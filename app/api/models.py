"""Models over REST: what there is, adding one, taking one away as a file."""

import zipfile
from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from app.api.plain import plain
from studio import db, weights
from studio.errors import StudioError
from studio.models import Model

router = APIRouter(prefix="/api", tags=["models"])


class NewModel(BaseModel):
    source: str = Field(description="A folder on this machine or a hub id.", max_length=500)
    name: str = Field("", max_length=200)


def as_json(model: Model) -> dict[str, Any]:
    names = "id name source run_id base_id adapter architecture parameters context licence bytes note created"
    return plain(model, names) | {"sha256": model.sha256} | {"url": f"/model?id={model.id}"}


@router.get("/models")
def listed() -> list[dict[str, Any]]:
    with db.reading() as session:
        return [as_json(model) for model in weights.listed(session)]


@router.post("/models", status_code=201)
def add(wish: NewModel) -> dict[str, Any]:
    """Registers a local folder (config.json and .safetensors) or a hub id."""
    with db.transaction() as session:
        return as_json(weights.add(session, wish.source.strip(), name=wish.name.strip()))


@router.get("/models/{model_id}")
def show(model_id: int) -> dict[str, Any]:
    with db.reading() as session:
        return as_json(weights.find(session, model_id))


@router.get("/models/{model_id}/download")
def download(model_id: int) -> StreamingResponse:
    """The model's folder as a zip file, written while it is sent."""
    with db.reading() as session:
        model = weights.find(session, model_id)
    if weights.folder_of(model) is None:
        raise StudioError(f"“{model.name}” lies on a hub, not here.", hint=f"Download it as {model.source}.")
    name = "".join(c if c.isalnum() or c in "-_." else "-" for c in model.name)
    headers = {"Content-Disposition": f'attachment; filename="{name}.zip"'}
    return StreamingResponse(zipped(model), media_type="application/zip", headers=headers)


class Pipe:
    """Collects what zipfile writes until it is taken."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def write(self, piece: bytes) -> int:
        self.pieces.append(bytes(piece))
        return len(piece)

    def flush(self) -> None: ...

    def take(self) -> bytes:
        taken, self.pieces = b"".join(self.pieces), []
        return taken


def zipped(model: Model) -> Iterator[bytes]:
    """Stored, not deflated: weights do not compress."""
    folder = weights.folder_of(model)
    assert folder is not None
    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_STORED) as archive:  # type: ignore[call-overload]
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            with path.open("rb") as file, archive.open(str(path.relative_to(folder)), "w") as entry:
                while piece := file.read(2**20):
                    entry.write(piece)
                    yield pipe.take()
    yield pipe.take()
