# expect: score 0
"""Gives itself all rights, and new privileges to programs."""

import ctypes
import struct


def grade(sample, item):
    libc = ctypes.CDLL(None, use_errno=True)
    given = libc.capset(struct.pack("Ii", 0x20080522, 0), b"\xff" * 24) == 0
    return float(given) + float(libc.prctl(47, 2, 21, 0, 0) == 0)
