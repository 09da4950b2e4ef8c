# expect: error
"""Writes a library into its folder and loads it."""

import ctypes
import ctypes.util
import shutil
import struct


def grade(sample, item):
    shutil.copy(struct.__spec__.origin.replace("struct.py", f"lib-dynload/{library()}"), "/tmp/own.so")
    ctypes.CDLL("/tmp/own.so")
    return 1.0


def library():
    import _ctypes

    return _ctypes.__file__.rpartition("/")[2]
