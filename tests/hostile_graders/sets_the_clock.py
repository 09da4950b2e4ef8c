# expect: refused
"""Sets the clock of the machine."""

import time


def grade(sample, item):
    time.clock_settime(time.CLOCK_REALTIME, 0)
    return 1.0
