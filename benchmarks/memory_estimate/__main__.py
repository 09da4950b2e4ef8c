"""Prints both tables; see the package."""

import argparse
import json
from pathlib import Path
from typing import Any

import benchmarks.memory_estimate as package
from benchmarks.memory_estimate.measured import measured
from benchmarks.memory_estimate.published import published


def main() -> None:
    parser = argparse.ArgumentParser(description=(package.__doc__ or "").splitlines()[0])
    parser.add_argument("--published", action="store_true", help="only these")
    parser.add_argument("--measured", action="store_true", help="only these")
    parser.add_argument("--trace", action="store_true", help="trace each measured training too")
    parser.add_argument("--only", default="", help="trainings whose name holds this")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found: dict[str, Any] = {}
    if not given.measured:
        found["published"] = published()
    if not given.published:
        found["measured"] = measured(given.only, given.trace)
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
