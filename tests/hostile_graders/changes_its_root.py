# expect: refused
"""Changes its root folder, the classic way out."""

import os


def grade(sample, item):
    os.mkdir("/tmp/up")
    os.chroot("/tmp/up")
    return 1.0
