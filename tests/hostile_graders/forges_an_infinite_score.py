# expect: nonsense
"""Sends a number no float can hold, past the check."""

import os
import struct


def grade(sample, item):
    text = b'{"id": 1, "score": 1e999}'
    os.write(3, struct.pack(">I", len(text)) + text)
    return 0.0
