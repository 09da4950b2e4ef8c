# expect: refused
"""Waits for connections from outside."""

import socket


def grade(sample, item):
    with socket.create_server(("0.0.0.0", 0)) as server:
        return float(server.getsockname()[1] > 0)
