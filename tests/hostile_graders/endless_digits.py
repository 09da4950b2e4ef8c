# expect: time or memory
"""Turns a number of millions of digits into text."""

import sys

sys.set_int_max_str_digits(0)


def grade(sample, item):
    return len(str(7**20_000_000))
