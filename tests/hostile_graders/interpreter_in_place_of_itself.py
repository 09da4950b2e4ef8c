# expect: refused
"""Replaces its process by another program."""

import os
import sys


def grade(sample, item):
    os.execv(sys.executable, [sys.executable, "-c", "while True: pass"])
