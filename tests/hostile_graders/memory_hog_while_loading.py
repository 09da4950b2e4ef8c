# expect: memory
"""Fills memory in its first lines."""

kept = list(range(10**9))


def grade(sample, item):
    return 1.0
