# expect: ended or memory or error or time
"""Calls itself without end and lifts Python's limit."""

import sys

sys.setrecursionlimit(10**9)


class Deep:
    def __repr__(self):
        return repr(self)


def grade(sample, item):
    return len(repr(Deep()))
