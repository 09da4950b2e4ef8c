# expect: score 0
"""Leaves a deep tree of folders that nobody may enter."""

import os


def grade(sample, item):
    for _ in range(20):
        os.mkdir("deep")
        os.chdir("deep")
    for _ in range(20):
        os.chdir("..")
        os.chmod("deep", 0)
    os.chmod("/tmp", 0)
    return 0.0
