# expect: refused
"""Puts itself before all other processes."""

import os


def grade(sample, item):
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(99))
    return 1.0
