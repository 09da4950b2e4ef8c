"""Lets these tests import the scripts of `examples/` and `benchmarks/`, which are not installed."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
for folder in (ROOT, ROOT / "examples" / "starter-model"):
    sys.path.insert(0, str(folder))
