# expect: refused
"""Changes the program that looks after it."""

import sys
from pathlib import Path


def grade(sample, item):
    keeper = sys.modules["__main__"].__file__
    return Path(keeper).write_text("owned")
