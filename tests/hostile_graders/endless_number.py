# expect: time or memory or error
"""Computes a number with 370 million digits."""


def grade(sample, item):
    return float(9**9**9)
