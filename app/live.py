"""All that an open page wants news of, in one answer: GET /live?ask=/parts/run-header%3Fid%3D7&tag=…&ask=…

`static/pulse.js` asks once a second. Each `ask` is an address that can be fetched alone as well, and is
answered by the same code; `tag` is that of what the page has of it. The answer is a list in the order of the
asks: 304 where nothing changed, else the new text, or its changed lines where the old one is still known. One
that fails does not touch the others.

People who watch the same thing share its answer for a moment. They may: what is asked here is a fragment,
which sees nothing but its address, or numbers of runs; who asks makes no difference. `fresh` asks past that,
for a person who has just done something.
"""

import asyncio
import hashlib
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response
from starlette.types import Message, Scope

from app import errors, packed
from studio.errors import StudioError

router = APIRouter(include_in_schema=False)

WITHIN = ("/parts/", "/api/metrics")
MOST = 64  # asks of one page
SHARED = 0.5  # seconds for which an answer is good enough for others who ask the same
REMEMBERED = 4 * 2**20  # bytes of texts kept to tell their changes
PATCHED = 512  # bytes; shorter texts are sent whole

Patch = list[tuple[int, int, list[str]]]


@dataclass(frozen=True)
class Answer:
    """What one address says."""

    status: int
    kind: str
    every: float | None
    body: bytes
    tag: str


@dataclass
class Shared:
    """What several watchers have in common: answers of this moment, and texts that pages still show."""

    answers: OrderedDict[str, tuple[float, asyncio.Task[Answer]]] = field(default_factory=OrderedDict)
    texts: OrderedDict[str, bytes] = field(default_factory=OrderedDict)
    held: int = 0

    async def find(self, request: Request, ask: str, fresh: bool) -> Answer:
        now = time.monotonic()
        began, task = self.answers.get(ask, (0.0, None))
        if task is None or fresh or (task.done() and now - began > SHARED):
            self.forget_older(now - SHARED)
            task = asyncio.create_task(fetch(request, ask))
            self.answers[ask] = (now, task)
            self.answers.move_to_end(ask)
        return await asyncio.shield(task)

    def forget_older(self, than: float) -> None:
        while self.answers:
            ask, (began, task) = next(iter(self.answers.items()))
            if began > than or not task.done():
                return
            del self.answers[ask]

    def remember(self, answer: Answer) -> None:
        if answer.tag not in self.texts:
            self.texts[answer.tag] = answer.body
            self.held += len(answer.body)
        self.texts.move_to_end(answer.tag)
        while self.held > REMEMBERED:
            self.held -= len(self.texts.popitem(last=False)[1])


@router.get("/live")
async def look(request: Request) -> Response:
    """Answers everything that is asked for at once."""
    asks, tags = request.query_params.getlist("ask"), request.query_params.getlist("tag")
    if not asks or len(asks) > MOST or len(tags) != len(asks):
        raise StudioError("This is for pages: each ask has a tag.", hint=f"At most {MOST} at a time.")
    for ask in asks:
        if not ask.startswith(WITHIN):
            raise StudioError(f"{ask[:80]} cannot be asked here.", hint="Fetch it by itself.", field="ask")
    shared: Shared = request.app.state.shared
    fresh = "fresh" in request.query_params
    found = await asyncio.gather(*(shared.find(request, ask, fresh) for ask in asks))
    said = [say(shared, answer, tag) for answer, tag in zip(found, tags, strict=True)]
    return packed.answer(request, orjson.dumps(said))


def say(shared: Shared, answer: Answer, tag: str) -> dict[str, Any]:
    """The answer as it travels, to a page that has what `tag` stands for."""
    said: dict[str, Any] = {} if answer.every is None else {"every": answer.every}
    if answer.status == 200 and answer.tag == tag:
        return said | {"status": 304}
    said |= {"status": answer.status, "tag": answer.tag if answer.status == 200 else ""}
    if answer.kind.startswith("application/json"):
        return said | {"body": orjson.Fragment(answer.body)}
    old = shared.texts.get(tag) if tag else None
    if answer.status == 200:
        shared.remember(answer)
        patch = changes(old, answer.body) if old and len(answer.body) > PATCHED else None
        if patch is not None:
            return said | {"patch": patch}
    return said | {"body": answer.body.decode()}


def changes(old: bytes, new: bytes) -> Patch | None:
    """Which lines to put in the place of which, the last first; None where the whole is hardly longer."""
    before, after = old.decode().split("\n"), new.decode().split("\n")
    start, end = 0, 0
    shorter = min(len(before), len(after))
    while start < shorter and before[start] == after[start]:
        start += 1
    while end < shorter - start and before[-1 - end] == after[-1 - end]:
        end += 1
    patch: Patch = []
    if len(before) != len(after):
        patch.append((start, len(before) - end - start, after[start : len(after) - end]))
    else:
        for at in range(start, len(before) - end):
            if before[at] == after[at]:
                continue
            if patch and patch[-1][0] + patch[-1][1] == at:
                first, gone, lines = patch.pop()
                patch.append((first, gone + 1, [*lines, after[at]]))
            else:
                patch.append((at, 1, [after[at]]))
    size = sum(12 + sum(len(line) for line in lines) for _, _, lines in patch)
    return patch[::-1] if size < 0.7 * len(new) else None


async def fetch(request: Request, ask: str) -> Answer:
    """Asks the application itself for one address. A bug there is told as it would be told alone."""
    path, _, query = ask.partition("?")
    scope: Scope = {
        **request.scope,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [],
        "path_params": {},
    }
    heard: list[Message] = []

    async def send(message: Message) -> None:
        heard.append(message)

    try:
        await request.app.router(scope, request.receive, send)
    except Exception as error:  # it is logged and told there, and the other asks are answered
        answer = await errors.tell_bug(Request(scope), error)
        return made(answer.status_code, dict(answer.headers), bytes(answer.body))
    headers = {name.decode(): value.decode("latin-1") for name, value in heard[0]["headers"]}
    return made(heard[0]["status"], headers, b"".join(each.get("body", b"") for each in heard[1:]))


def made(status: int, headers: dict[str, str], body: bytes) -> Answer:
    every = headers.get("live-every")
    tag = headers.get("etag", "").strip('"') or hashlib.blake2b(body, digest_size=9).hexdigest()
    return Answer(status, headers.get("content-type", ""), float(every) if every else None, body, tag)
