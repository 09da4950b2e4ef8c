# expect: memory
"""Asks for a terabyte."""


def grade(sample, item):
    return len(bytearray(1 << 40))
