# expect: error or memory or ended or time
"""Starts threads that never end, with the smallest stacks there are."""

import threading

threading.stack_size(32 * 1024)


def grade(sample, item):
    never = threading.Event()
    while True:
        threading.Thread(target=never.wait, daemon=True).start()
