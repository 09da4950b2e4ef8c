"""The files of `static/`, served from memory under /ours with a content hash in their address.

A changed file gets a new address, so browsers may keep each one for ever. (`/static` and `/assets` belong to
Gradio: a folder of ours there would hide its own.)
"""

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request, Response

from studio.errors import NotFound

FOLDER = Path(__file__).resolve().parents[2] / "static"
MOUNT = "/ours"
PACKABLE = {".css", ".js", ".svg", ".txt", ".json"}
TYPES = {".js": "text/javascript", ".woff2": "font/woff2", ".svg": "image/svg+xml"}

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class Asset:
    body: bytes
    packed: bytes  # gzip; empty where it would not help
    kind: str
    digest: str
    changed: int  # st_mtime_ns of the file when it was read


@cache
def read(name: str, changed: int) -> Asset:
    path = FOLDER / name
    body = path.read_bytes()
    packed = gzip.compress(body, 6) if path.suffix in PACKABLE else b""
    kind = TYPES.get(path.suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    if kind.startswith("text/"):
        kind += "; charset=utf-8"
    return Asset(body, packed, kind, hashlib.sha256(body).hexdigest()[:12], changed)


@cache
def names() -> frozenset[str]:
    return frozenset(str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*") if path.is_file())


def load(name: str) -> Asset:
    if name not in names():
        raise NotFound(f"There is no file {name} here.")
    return read(name, (FOLDER / name).stat().st_mtime_ns)


def address(name: str) -> str:
    """Where a page finds the file: /ours/studio.css?v=<hash>."""
    return f"{MOUNT}/{name}?v={load(name).digest}"


@router.get(MOUNT + "/{name:path}")
def serve(name: str, request: Request) -> Response:
    asset = load(name)
    headers = {"ETag": f'"{asset.digest}"', "Vary": "Accept-Encoding"}
    fresh = request.query_params.get("v") == asset.digest
    headers["Cache-Control"] = "public, max-age=31536000, immutable" if fresh else "no-cache"
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    if asset.packed and "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(asset.packed, media_type=asset.kind, headers=headers)
    return Response(asset.body, media_type=asset.kind, headers=headers)
