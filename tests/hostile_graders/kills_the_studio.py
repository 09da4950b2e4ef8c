# expect: error
"""Kills the studio by its number."""

import os
import signal


def grade(sample, item):
    os.kill(item["process"], signal.SIGKILL)
    return 1.0
