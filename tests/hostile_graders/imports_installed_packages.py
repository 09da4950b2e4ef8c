# expect: error
"""Imports what is installed for the studio."""


def grade(sample, item):
    return float(bool(__import__("numpy")))
