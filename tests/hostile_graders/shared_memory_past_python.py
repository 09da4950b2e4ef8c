# expect: score 0
"""Keeps memory in System V segments and message queues."""

import ctypes


def grade(sample, item):
    libc = ctypes.CDLL(None, use_errno=True)
    made = [libc.shmget(0, 1 << 24, 0o1600), libc.msgget(0, 0o1600), libc.semget(0, 100, 0o1600)]
    return sum(number != -1 for number in made)
