# expect: time
"""Ignores every signal it can, then never returns."""

import contextlib
import signal


def grade(sample, item):
    for number in signal.valid_signals():
        with contextlib.suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_IGN)
    while True:
        pass
