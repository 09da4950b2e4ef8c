# expect: memory
"""1 MB that unpacks to a gigabyte."""

import zlib

BOMB = zlib.compress(bytes(1 << 24), 9) * 1


def grade(sample, item):
    return len(b"".join(zlib.decompress(BOMB) for _ in range(64)))
