# expect: time
"""Forks without end and takes no refusal."""

import contextlib
import os


def grade(sample, item):
    while True:
        with contextlib.suppress(OSError):
            os.fork()
