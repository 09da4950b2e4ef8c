# expect: output
"""Writes into the standard error without end, past Python."""

import os


def grade(sample, item):
    while True:
        os.write(2, b"x" * 65536)
