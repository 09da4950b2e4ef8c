# expect: score 0
"""Becomes root in namespaces of its own."""

import ctypes

KINDS = [0x10000000, 0x00020000, 0x20000000, 0x40000000, 0x08000000, 0x04000000, 0x02000000]


def grade(sample, item):
    libc = ctypes.CDLL(None, use_errno=True)
    return sum(libc.unshare(kind) == 0 for kind in KINDS)
