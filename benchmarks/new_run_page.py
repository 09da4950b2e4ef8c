"""The page of a new run with every technique: processor time and size of each of its parts, and of an edit.

    python benchmarks/new_run_page.py

Goal: no part takes 30 ms. The times are of this process alone, the smallest of five.
"""

import os
import tempfile
import time
from collections.abc import Callable

os.environ["TUNESMITH_DATA"] = tempfile.mkdtemp(prefix="tunesmith-")

from fastapi import FastAPI
from fastapi.testclient import TestClient

from app import errors, parts
from app.api import new_run as api
from app.pages.new_run import PARTS
from studio import db, migration, techniques
from studio.datasets.shapes import SHAPES
from studio.models import Dataset, DatasetVersion, Model

TRIES = 5


def main() -> None:
    migration.upgrade()
    fill()
    app = FastAPI()
    errors.install(app)
    app.include_router(parts.router)
    app.include_router(api.router)
    browser = TestClient(app)
    print(f"{len(techniques.all())} techniques; ms of processor time, and kB")
    print(f"{'':20}" + "".join(f"{name.removeprefix('new-run-'):>16}" for name in PARTS) + f"{'edit':>16}")
    slowest = 0.0
    for technique in techniques.all():
        asked = {"technique": technique.name, "model": "1", "dataset": fitting(technique)}
        works = [lambda name=name, asked=asked: browser.get(f"/parts/{name}", params=asked) for name in PARTS]
        edit = {"asked": asked, "set": {"parameters:learning_rate": "0.001"}, "known": {}}
        works.append(lambda edit=edit: browser.post("/api/new-run/drafts", json=edit))
        taken = [timed(work) for work in works]
        slowest = max(slowest, *(ms for ms, _ in taken[:-1]))
        print(f"{technique.name:20}" + "".join(f"{ms:9.1f} {size / 1000:5.1f}k" for ms, size in taken))
    print(f"slowest part: {slowest:.1f} ms")


def timed(work: Callable[[], object]) -> tuple[float, int]:
    """(milliseconds, bytes of the answer)"""
    taken = []
    for _ in range(TRIES):
        began = time.process_time()
        answer = work()
        taken.append(1000 * (time.process_time() - began))
    return min(taken), len(answer.content)  # type: ignore[attr-defined]


def fitting(technique: techniques.Technique) -> str:
    return str(list(SHAPES).index(technique.shapes[0]) + 1)


def fill() -> None:
    """A model and a dataset of every shape."""
    with db.transaction() as session:
        session.add(Model(name="base", source="x/base", parameters=1_000_000))
        for number, shape in enumerate(SHAPES, 1):
            session.add(
                DatasetVersion(
                    id=number,
                    dataset=Dataset(name=shape),
                    number=1,
                    shape=shape,
                    format="jsonl",
                    rows=500,
                    sha256=f"{number:064}",
                    folder=f"datasets/{number}",
                )
            )


if __name__ == "__main__":
    main()
