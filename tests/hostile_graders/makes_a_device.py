# expect: refused
"""Makes a device file for the first disk."""

import os
import stat


def grade(sample, item):
    os.mknod("/tmp/disk", 0o600 | stat.S_IFBLK, os.makedev(8, 0))
    return 1.0
