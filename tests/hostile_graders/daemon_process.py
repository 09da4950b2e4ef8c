# expect: refused
"""Detaches a process that outlives it."""

import os
import time


def grade(sample, item):
    if os.fork() == 0:
        os.setsid()
        time.sleep(600)
    return 1.0
