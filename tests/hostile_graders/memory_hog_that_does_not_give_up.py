# expect: time or memory or ended
"""Fills memory and takes no refusal."""


def grade(sample, item):
    kept = []
    while True:
        try:
            kept.append(bytes(1 << 16))
        except MemoryError:
            continue
