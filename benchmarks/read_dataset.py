"""How fast a dataset is read: `inspect` (detect, normalise, check, count, hash) against a plain
`json.loads` loop over the same lines, and against that loop with the same checks, in the same run.

    python benchmarks/read_dataset.py [--megabytes 60] [--write] [FILE]

CPU seconds, which other work on the machine does not change. The generated rows are chats of about
1.8 kB, the mean of public instruction sets.
"""

import argparse
import json
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from studio.datasets import checks, inspection, shapes
from studio.datasets.statistics import Gatherer
from studio.datasets.view import View

TEXT = (
    "the model answers a question about medicine with care and gives two reasons why it may not be right "
    "because tablets capsules drops and creams are taken at different times of day with food or without"
)
WORDS = TEXT.split()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("file", nargs="?", type=Path)
    options.add_argument("--megabytes", type=int, default=60)
    options.add_argument("--write", action="store_true", help="also write the canonical rows")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = chosen.file or generate(Path(folder) / "chat.jsonl", chosen.megabytes)
        megabytes = path.stat().st_size / 1e6
        target = Path(folder) / "rows.jsonl" if chosen.write else None
        plain = cpu_seconds(lambda: read_plainly(path))
        checked = cpu_seconds(lambda: read_with_checks(path))
        ours = cpu_seconds(lambda: inspection.inspect(path, write_to=target))
    for title, seconds in (
        ("json.loads a line", plain),
        ("json.loads and the same checks", checked),
        ("inspect" + (" and write" if chosen.write else ""), ours),
    ):
        print(f"{title:32} {seconds:6.2f} CPU s  {megabytes / seconds:7.1f} MB/s")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)
    print(f"inspect / json.loads {ours / plain:.2f}×, / json.loads with checks {ours / checked:.2f}×")
    print(f"peak memory {peak:.0f} MB")


def generate(path: Path, megabytes: int) -> Path:
    """Chats of random words, a few hundred of them different openings; the same every time."""
    draw = random.Random(7)
    with path.open("w") as file:
        while file.tell() < megabytes * 1e6:
            for _ in range(200):
                file.write(json.dumps({"messages": [turn(draw, place) for place in range(4)]}) + "\n")
    return path


def turn(draw: random.Random, place: int) -> dict[str, str]:
    said = " ".join(draw.choices(WORDS, k=draw.randint(40, 120)))
    return {"role": "assistant" if place % 2 else "user", "content": said}


def read_plainly(path: Path) -> None:
    with path.open("rb") as file:
        for line in file:
            json.loads(line)


def read_with_checks(path: Path) -> None:
    """What inspection does after reading, on rows read with `json.loads`."""
    shape = shapes.get("chat")
    checkers, gatherer = checks.start(shape.name), Gatherer(shape)
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            view = View(number, json.loads(line), shape)
            for checker in checkers:
                checker.see(view)
            gatherer.see(view)
    checks.finish(checkers)
    gatherer.finish()


def cpu_seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


if __name__ == "__main__":
    main()
