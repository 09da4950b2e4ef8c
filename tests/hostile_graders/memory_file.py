# expect: refused
"""Keeps memory in a file without a name, past the limit on its own."""

import os


def grade(sample, item):
    files = []
    while True:
        files.append(os.memfd_create("hog"))
        os.write(files[-1], bytes(1 << 20))
