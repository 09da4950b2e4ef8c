# expect: time
"""Stops its own process."""

import os
import signal


def grade(sample, item):
    os.kill(os.getpid(), signal.SIGSTOP)
    return 1.0
