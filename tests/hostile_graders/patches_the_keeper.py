# expect: nonsense or score
"""Replaces the function that checks scores."""

import sys


def grade(sample, item):
    sys.modules["__main__"].json.dumps = lambda reply: str({**reply, "score": "owned"})
    return 0.0
