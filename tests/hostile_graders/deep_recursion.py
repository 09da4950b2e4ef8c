# expect: error
"""Calls itself without end."""


def grade(sample, item):
    return grade(sample, item)
