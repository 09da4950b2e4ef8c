# expect: time
"""Sleeps for a year."""

import time


def grade(sample, item):
    time.sleep(365 * 24 * 3600)
