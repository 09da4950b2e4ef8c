# expect: error
"""Pretends that somebody pressed Ctrl-C."""


def grade(sample, item):
    raise KeyboardInterrupt
