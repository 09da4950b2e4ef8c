# expect: error or refused or time
"""Fills pipes without end; they take the kernel's memory."""

import fcntl
import os


def grade(sample, item):
    ends = []
    while True:
        ends.append(os.pipe())
        fcntl.fcntl(ends[-1][1], fcntl.F_SETPIPE_SZ, 1 << 20)
        os.write(ends[-1][1], bytes(1 << 20))
