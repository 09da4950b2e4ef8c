# expect: nonsense
"""Answers a question that was not asked."""

import os
import struct


def grade(sample, item):
    text = b'{"id": 7, "score": 1.0}'
    os.write(CHANNEL, struct.pack(">I", len(text)) + text)
    return 0.0


CHANNEL = 3
