# expect: ended or time or error or score
"""Writes over Python's own objects."""

import ctypes


def grade(sample, item):
    ctypes.memset(id(list), 0, 400)
    ctypes.memset(id(dict), 0, 400)
    return [1.0][0]
