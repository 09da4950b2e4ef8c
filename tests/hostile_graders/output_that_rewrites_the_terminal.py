# expect: score 0
"""Prints codes that move the cursor and rename the window."""


def grade(sample, item):
    print("\x1b[2J\x1b]0;owned\x07 fine")
    return 0.0
