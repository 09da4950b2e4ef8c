# expect: error
"""Returns a text."""


def grade(sample, item):
    return "1.0"
