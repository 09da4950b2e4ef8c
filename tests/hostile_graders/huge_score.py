# expect: error
"""Returns an integer no float can hold."""


def grade(sample, item):
    return 10**400
