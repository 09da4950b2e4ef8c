# expect: refused or error
"""Keeps memory in a shared segment, past the limit on its own."""

from multiprocessing import shared_memory


def grade(sample, item):
    return shared_memory.SharedMemory(create=True, size=1 << 30).size
