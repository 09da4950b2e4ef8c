# expect: error
"""Reads a file that lies outside."""

from pathlib import Path


def grade(sample, item):
    return len(Path(item["canary"]).read_text())
