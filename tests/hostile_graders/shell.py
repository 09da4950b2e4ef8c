# expect: refused
"""Runs a shell."""

import subprocess


def grade(sample, item):
    subprocess.run("touch /tmp/owned", shell=True, check=True)
    return 1.0
