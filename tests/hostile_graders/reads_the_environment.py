# expect: score 0
"""Looks for secrets in the environment of its own and all other processes."""

import glob
import os
from pathlib import Path


def grade(sample, item):
    texts = [str(os.environ), *(Path(file).read_text() for file in glob.glob("/proc/*/environ"))]
    return sum(item["secret"] in text for text in texts)
