# expect: error
"""Returns infinity, which would spoil every mean."""


def grade(sample, item):
    return float("inf")
