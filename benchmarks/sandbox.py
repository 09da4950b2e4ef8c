"""The sandbox for programs of people and models: what it costs, and what it withstands.

    python benchmarks/sandbox.py [--calls 5000]

Calls a second of a trivial grader against the same function called directly, the time to start a sandbox and
to give a program a fresh process in it, then every file of tests/hostile_graders with what became of
it: contained is what had an outcome its first line names, left the next program a clean sandbox, and neither
reached nor changed anything outside. Goals: at least 2,000 calls a second, every hostile grader contained.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from studio import sandbox
from studio.sandbox import Limits, Sandbox, Session
from studio.sandbox.jail import way_in
from tests.hostile import GOOD, HOSTILE, TIGHT, Outside, as_expected, attempt, expected_of

SOURCE = """
def grade(sample, item):
    return float(sample["output_text"].strip() == item["reference_answer"].strip())
"""
CASE = ({"output_text": "take one tablet twice a day "}, {"reference_answer": "take one tablet twice a day"})
TIMES = 20


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--calls", type=int, default=5_000)
    calls = options.parse_args().calls
    if why := sandbox.available():
        print(why)
        return 1
    print(f"Apart from the machine by {way_in().value}.\n")
    speed(calls)
    starts()
    return hostile()


def speed(calls: int) -> None:
    namespace: dict[str, Callable[..., float]] = {}
    exec(SOURCE, namespace)
    began = time.perf_counter()
    for _ in range(calls):
        namespace["grade"](*CASE)
    direct = calls / (time.perf_counter() - began)
    with Session(SOURCE) as session:
        session.check()
        began = time.perf_counter()
        results = session.call([CASE] * calls)
        inside = calls / (time.perf_counter() - began)
    assert all(result.score == 1.0 for result in results)
    print(f"{'calls a second, directly':<44}{direct:>12,.0f}")
    print(f"{'calls a second, in the sandbox (goal 2,000)':<44}{inside:>12,.0f}")
    print(f"{'added to a call':<44}{1e6 / inside - 1e6 / direct:>9,.0f} µs")


def starts() -> None:
    new, fresh = [], []
    for _ in range(TIMES):
        began = time.perf_counter()
        with Session(SOURCE) as session:
            session.call([CASE])
            new.append(time.perf_counter() - began)
            began = time.perf_counter()
            session.call([CASE])
            fresh.append(time.perf_counter() - began)
    for what, times in (("a new sandbox and a first call", new), ("a fresh process in it and a call", fresh)):
        print(f"{what + ', median':<44}{statistics.median(times) * 1000:>9.1f} ms")


def hostile() -> int:
    os.environ["TUNESMITH_SECRET"] = "a-secret-of-the-studio"
    contained, began = 0, time.perf_counter()
    print(f"\n{'hostile grader':<42}{'contained':<11}{'outcome':<10}{'seconds':>7}  message")
    with (
        tempfile.TemporaryDirectory() as folder,
        Sandbox(Limits(seconds=0.5, **TIGHT)) as hasty,
        Sandbox(Limits(seconds=20, **TIGHT)) as patient,
    ):
        outside = Outside(Path(folder))
        for file in HOSTILE:
            expected = expected_of(file)
            box = hasty if "time" in expected else patient
            started = time.perf_counter()
            result = attempt(box, file.read_text(), outside.item)
            took = time.perf_counter() - started
            alone = attempt(box, GOOD, {}).score == 0.5
            held = as_expected(result, expected) and alone and outside.unharmed()
            contained += held
            said = result.message or f"It got nowhere and returned {result.score:g}."
            message = " ".join(said.split())[:110]
            print(f"{file.stem:<42}{'yes' if held else 'NO':<11}{result.outcome:<10}{took:>7.2f}  {message}")
        outside.close()
    print(f"\n{contained} of {len(HOSTILE)} contained, in {time.perf_counter() - began:.1f} s")
    return int(contained < len(HOSTILE))


if __name__ == "__main__":
    sys.exit(main())
