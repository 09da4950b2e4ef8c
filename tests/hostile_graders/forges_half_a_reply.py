# expect: time
"""Announces a reply and sends only half of it."""

import os
import struct
import time


def grade(sample, item):
    os.write(3, struct.pack(">I", 100) + b'{"id": 1')
    time.sleep(3600)
