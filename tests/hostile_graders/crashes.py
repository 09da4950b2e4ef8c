# expect: ended
"""Reads where there is no memory."""

import ctypes


def grade(sample, item):
    return len(ctypes.string_at(0))
