# expect: nonsense
"""Sends 60,000 brackets."""

import os
import struct


def grade(sample, item):
    text = b'{"id": 1, "fault": ' + b"[" * 60_000
    os.write(3, struct.pack(">I", len(text)) + text)
    return 0.0
