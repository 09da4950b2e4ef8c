# expect: ended
"""Kills itself."""

import os
import signal


def grade(sample, item):
    os.kill(os.getpid(), signal.SIGKILL)
