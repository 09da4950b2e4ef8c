# expect: error
"""Climbs up from its folder as far as it goes."""

from pathlib import Path


def grade(sample, item):
    return len(Path("/tmp" + "/.." * 50 + item["canary"]).read_text())
