# expect: refused
"""Renames the machine."""

import socket


def grade(sample, item):
    socket.sethostname("owned")
    return 1.0
