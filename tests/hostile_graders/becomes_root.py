# expect: refused
"""Becomes root."""

import os


def grade(sample, item):
    os.setuid(0)
    os.setresuid(0, 0, 0)
    os.setgroups([0])
    return 1.0
