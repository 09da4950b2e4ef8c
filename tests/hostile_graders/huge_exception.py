# expect: error
"""An exception with 50 MB of text."""


def grade(sample, item):
    raise ValueError("x" * 50_000_000)
