# expect: score 0
"""Closes what it prints to."""

import os


def grade(sample, item):
    os.close(1)
    os.close(2)
    return 0.0
