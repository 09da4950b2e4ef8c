"""Pages as browsers have them open, without a browser: what they ask for and remember (`static/pulse.js`)."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx

PACES = {"/parts/run-header": 1, "/parts/run-doctor": 3, "/parts/run-view": 1, "/api/metrics": 1}


def client(address: str, people: int) -> httpx.AsyncClient:
    """Connections of so many people. One that rested is not used again: the server closes it after 5 s."""
    limits = httpx.Limits(max_connections=people, max_keepalive_connections=people, keepalive_expiry=3)
    return httpx.AsyncClient(base_url=address, limits=limits, timeout=60)


@dataclass
class OpenPage:
    """One person's page of one run."""

    client: httpx.AsyncClient
    run: int
    tags: dict[str, str] = field(default_factory=dict)
    cursor: str = ""
    ticks: int = 0
    waits: list[float] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def address(self, path: str) -> str:
        if not path.startswith("/api"):
            return f"{path}?id={self.run}"
        after = {"after": self.cursor} if self.cursor else {}
        return f"{path}?{urlencode({'run': self.run, 'points': 2000} | after)}"

    async def tick(self) -> None:
        """Everything that is due, in one request."""
        due = [path for path, every in PACES.items() if self.ticks % every == 0]
        self.ticks += 1
        asked = [
            pair for path in due for pair in (("ask", self.address(path)), ("tag", self.tags.get(path, "")))
        ]
        began = time.perf_counter()
        try:
            answer = await self.client.get(f"/live?{urlencode(asked)}")
            said: list[dict[str, Any]] = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            self.errors.append(f"{type(error).__name__}: {error}")
            return
        self.waits.append(time.perf_counter() - began)
        self.sizes.append(int(answer.headers["content-length"]))
        for path, one in zip(due, said, strict=True):
            if one["status"] not in (200, 304):
                self.errors.append(f"{path}: {one}")
            elif one["status"] == 200:
                self.tags[path] = one["tag"]
                self.cursor = one["body"]["cursor"] if path.startswith("/api") else self.cursor

    async def stay(self, seconds: float, late: float, pause: float = 1.0) -> None:
        """Asks once in each `pause`, from `late` on: an answer that took longer delays the next."""
        begin = time.monotonic() + late
        while time.monotonic() < begin + seconds:
            await asyncio.sleep(max(0.0, begin + self.ticks * pause - time.monotonic()))
            await self.tick()
