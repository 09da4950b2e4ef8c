# expect: score 0
"""Looks for rights (capabilities) it should not have."""

import ctypes
import struct


def grade(sample, item):
    libc = ctypes.CDLL(None, use_errno=True)
    rights = ctypes.create_string_buffer(24)
    libc.capget(struct.pack("Ii", 0x20080522, 0), rights)
    return sum(rights.raw[:8] + rights.raw[12:20])
