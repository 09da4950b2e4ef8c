# expect: time
"""Waits for a lock it holds."""

import threading


def grade(sample, item):
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()
