# expect: refused
"""Forks without end."""

import os


def grade(sample, item):
    while True:
        os.fork()
