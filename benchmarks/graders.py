"""How many answers a second each grader scores: batches of 64 with the settings and answers of the tests'
sample files, and ordinary texts of about 100 words.

    python benchmarks/graders.py [--seconds 1] [--worker]

By the clock. Graders that ask another program ask a small server on this machine, so theirs is the cost of
the call and not of what answers it; with --worker also those that need a model, with the starter model (1 M
parameters) on whatever device there is.
"""

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from studio import graders
from studio.graders import Case, Scorer
from tests.studio.graders.server import Server

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "tests" / "studio" / "graders" / "samples"
TEXT = "Take two tablets by mouth twice a day with food and a full glass of water for seven days. " * 6
BATCH = 64


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seconds", type=float, default=1.0)
    options.add_argument("--worker", action="store_true")
    chosen = options.parse_args()
    server = Server()
    print(f"{'grader':22} {'answers/s':>12} {'µs each':>10}   answers/s on 100 words")
    for grader in graders.all():
        if grader.scorer and not chosen.worker:
            continue
        score, case = ready(grader, server)
        samples = rate(score, case, chosen.seconds, bool(grader.scorer))
        texts = rate(score, replace(case, answer=TEXT, reference=TEXT), chosen.seconds, bool(grader.scorer))
        print(f"{grader.name:22} {samples:12,.0f} {1e6 / samples:10,.1f} {texts:12,.0f}")


def ready(grader: graders.Grader, server: Server) -> tuple[Scorer, Case]:
    if grader.scorer:
        return of_the_worker(grader.name), Case(answer="two tablets", reference="two tablets", prompt="?")
    sample: dict[str, Any] = json.loads((SAMPLES / f"{grader.name}.json").read_text())
    values = json.loads(json.dumps(sample["parameters"]).replace("SERVER", server.address))
    return grader.ready(grader.parameters(**values)), Case(**sample["perfect"])


def of_the_worker(name: str) -> Scorer:
    from worker import rewards
    from worker.order import GraderOrder, ModelOrder

    starter = ModelOrder(id=1, name="starter", source=str(ROOT / "examples" / "starter-model"))
    return rewards.scorer(GraderOrder(name=name, grader=name, models={"model": starter}))


def rate(score: Scorer, case: Case, seconds: float, models: bool) -> float:
    """Answers a second. No two of a batch are the same; models, which leave out white space, get a number."""
    cases = [
        replace(case, answer=case.answer + (f" {number}" if models else " " * number))
        for number in range(BATCH)
    ]
    score(cases)  # what is made at first use
    began, count = time.perf_counter(), 0
    while (spent := time.perf_counter() - began) < seconds:
        score(cases)
        count += BATCH
    return count / spent


if __name__ == "__main__":
    main()
