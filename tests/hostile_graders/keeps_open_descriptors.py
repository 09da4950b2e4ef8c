# expect: score 0
"""Looks for open folders and files it was never given."""

import os
import stat


def grade(sample, item):
    found = 0
    for descriptor in range(1024):
        try:
            mode = os.fstat(descriptor).st_mode
        except OSError:
            continue
        found += stat.S_ISDIR(mode) or stat.S_ISREG(mode) or stat.S_ISBLK(mode)
    return found
