# expect: ended
"""Aborts, which elsewhere leaves its memory in a file."""

import os


def grade(sample, item):
    os.abort()
