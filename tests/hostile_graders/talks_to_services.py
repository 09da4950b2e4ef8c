# expect: refused
"""Connects to a service by a socket without a file."""

import socket


def grade(sample, item):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect("\0" + item["abstract"])
    return 1.0
