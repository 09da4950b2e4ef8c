# expect: error
"""Maps 64 GiB that it shares with nobody yet."""

import mmap


def grade(sample, item):
    return len(mmap.mmap(-1, 64 << 30))
