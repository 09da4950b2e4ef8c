# expect: error
"""Links to a file that lies outside and reads the link."""

import os
from pathlib import Path


def grade(sample, item):
    os.symlink(item["canary"], "/tmp/link")
    return len(Path("/tmp/link").read_text())
