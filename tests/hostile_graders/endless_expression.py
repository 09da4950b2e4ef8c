# expect: time
"""A regular expression that takes exponential time in C code."""

import re


def grade(sample, item):
    return float(bool(re.match(r"(a|a)*$", "a" * 60 + "b")))
