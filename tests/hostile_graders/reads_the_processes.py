# expect: score 0
"""Looks for other processes, their memory and their files."""

import os


def grade(sample, item):
    return len(os.listdir("/proc")) if os.path.exists("/proc") else 0
