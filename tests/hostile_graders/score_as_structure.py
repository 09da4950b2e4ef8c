# expect: error
"""Returns lists within lists within lists."""


def grade(sample, item):
    nested = []
    for _ in range(100_000):
        nested = [nested]
    return nested
