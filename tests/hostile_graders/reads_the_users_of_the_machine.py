# expect: error
"""Reads the list of users."""

from pathlib import Path


def grade(sample, item):
    return len(Path("/etc/passwd").read_text())
