# expect: output
"""Prints without end from a thread."""

import threading
import time


def flood():
    while True:
        print("x" * 10_000)


def grade(sample, item):
    threading.Thread(target=flood, daemon=True).start()
    time.sleep(3600)
