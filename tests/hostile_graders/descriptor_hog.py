# expect: error
"""Opens files without end."""

import os


def grade(sample, item):
    files = []
    while True:
        files.append(os.open("/dev/null", os.O_RDONLY))
