# expect: output
"""Prints without end."""


def grade(sample, item):
    while True:
        print("x" * 10_000)
