# expect: score 0
"""Sends every signal to the process that looks after it."""

import os
import signal
import time


def grade(sample, item):
    for number in signal.valid_signals():
        os.kill(1, number)
        os.kill(os.getppid(), number)
    time.sleep(0.05)
    return 0.0
