# expect: nonsense
"""Announces a reply of 4 GB."""

import os


def grade(sample, item):
    os.write(3, b"\xff" * 100)
    return 0.0
