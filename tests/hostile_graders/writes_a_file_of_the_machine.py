# expect: error or refused
"""Overwrites a file that lies outside."""

from pathlib import Path


def grade(sample, item):
    return Path(item["canary"]).write_text("owned")
