# expect: error
"""Returns what is not a number, as a number."""


def grade(sample, item):
    return float("nan")
