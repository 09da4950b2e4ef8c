# expect: ended
"""Closes every descriptor it has."""

import os


def grade(sample, item):
    os.closerange(0, 1024)
    return 1.0
