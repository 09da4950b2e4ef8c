# expect: score 0
"""Kills every process it can reach."""

import contextlib
import os
import signal


def grade(sample, item):
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)
    return 0.0
