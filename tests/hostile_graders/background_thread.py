# expect: score 0
"""Returns at once and leaves a busy thread behind."""

import threading


def burn():
    while True:
        pass


def grade(sample, item):
    threading.Thread(target=burn, daemon=True).start()
    return 0.0
