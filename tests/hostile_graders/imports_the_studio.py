# expect: error
"""Imports the studio, to ask its database."""


def grade(sample, item):
    return float(bool(__import__("studio.db")))
