"""Pages as browsers have them open, without a browser: what they ask for and remember (`static/pulse.js`)."""

import asyncio
import re
import time
from dataclasses import dataclass, field
from html import unescape
from typing import Any
from urllib.parse import urlencode

import httpx

PART = re.compile(r'data-live=\\?"(/parts/[^"\\]+)\\?"')  # in a page they stand in JSON
CHARTS = re.compile(r'data-charts="([^"]+)"')
POINTS = 2000  # asked of the server, a series


def client(address: str, people: int) -> httpx.AsyncClient:
    """Connections of so many people. One that rested is not used again: the server closes it after 5 s."""
    limits = httpx.Limits(max_connections=people, max_keepalive_connections=people, keepalive_expiry=3)
    return httpx.AsyncClient(base_url=address, limits=limits, timeout=60)


@dataclass
class Look:
    """One fragment or board of charts on a page."""

    address: str
    due: float = 0
    tag: str = ""
    cursor: str = ""

    def asked(self) -> str:
        return f"{self.address}&{urlencode({'after': self.cursor})}" if self.cursor else self.address

    def hear(self, said: dict[str, Any], tick: int) -> str:
        """Keeps what the next look starts from; returns the text it was answered."""
        is_charts = self.address.startswith("/api")
        self.due = tick + (said.get("every") or (1 if is_charts else float("inf")))
        if said["status"] == 304:
            return ""
        self.tag = said["tag"]
        if is_charts:
            self.cursor = said["body"]["cursor"]
        return said["body"] if isinstance(said.get("body"), str) else ""


@dataclass
class OpenPage:
    """One person's page of one run."""

    connections: httpx.AsyncClient
    run: int
    looks: dict[str, Look] = field(default_factory=dict)
    ticks: int = 0
    waits: list[float] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    async def open(self) -> None:
        """The page and its first looks, until there are fragments and charts."""
        page = await self.connections.get(f"/run?id={self.run}", headers={"Accept": "text/html"})
        self.find(page.text)
        await self.tick()
        await self.tick()

    def find(self, text: str) -> None:
        for part in PART.findall(text):
            address = f"{unescape(part)}?id={self.run}"
            self.looks.setdefault(address, Look(address, self.ticks))
        for charts in CHARTS.findall(text):
            address = f"{unescape(charts)}&points={POINTS}"
            self.looks.setdefault(address, Look(address, self.ticks))

    async def tick(self) -> None:
        """Everything that is due, in one request."""
        due = [look for look in self.looks.values() if look.due <= self.ticks]
        self.ticks += 1
        asked = [("ask", look.asked()) for look in due] + [("tag", look.tag) for look in due]
        began = time.perf_counter()
        try:
            answer = await self.connections.get(f"/live?{urlencode(asked)}")
            said: list[dict[str, Any]] = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            self.errors.append(f"{type(error).__name__}: {error}")
            return
        self.waits.append(time.perf_counter() - began)
        self.sizes.append(int(answer.headers["content-length"]))
        for look, one in zip(due, said, strict=True):
            if one["status"] in (200, 304):
                self.find(look.hear(one, self.ticks - 1))
            else:
                self.errors.append(f"{look.address}: {one}")

    async def stay(self, seconds: float, late: float, pause: float = 1.0) -> None:
        """Asks once in each `pause`, from `late` on: an answer that took longer delays the next."""
        begin, before = time.monotonic() + late, self.ticks
        while time.monotonic() < begin + seconds:
            await asyncio.sleep(max(0.0, begin + (self.ticks - before) * pause - time.monotonic()))
            await self.tick()
