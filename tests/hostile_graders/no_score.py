# expect: error
"""Returns nothing."""


def grade(sample, item):
    pass
