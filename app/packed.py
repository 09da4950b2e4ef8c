"""Answers that travel light: gzipped when they are long and the asker takes it."""

import gzip

from fastapi import Request, Response

SHORT = 1024  # bytes; fewer are not worth the packing
LEVEL = 3  # an eighth larger than at 6, in a third of the time


def answer(request: Request, body: bytes, kind: str = "application/json", status: int = 200) -> Response:
    headers = {"Vary": "Accept-Encoding", "Cache-Control": "no-store"}
    if len(body) > SHORT and "gzip" in request.headers.get("accept-encoding", ""):
        body = gzip.compress(body, LEVEL, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return Response(body, status, headers, kind)
