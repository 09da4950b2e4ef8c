# expect: memory
"""Fills a list without end."""


def grade(sample, item):
    kept = []
    while True:
        kept.append(bytes(1 << 20))
