# expect: refused
"""Makes a file at the top of what it sees."""

from pathlib import Path


def grade(sample, item):
    return Path("/owned").write_text("owned")
