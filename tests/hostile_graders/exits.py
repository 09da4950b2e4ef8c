# expect: error
"""Ends the program as if all were well."""

import sys


def grade(sample, item):
    sys.exit(0)
