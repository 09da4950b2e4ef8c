# expect: refused
"""Connects to a port of the machine."""

import socket


def grade(sample, item):
    with socket.create_connection(("127.0.0.1", item["port"]), timeout=1) as connection:
        connection.sendall(b"owned")
    return 1.0
