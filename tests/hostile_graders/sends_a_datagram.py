# expect: refused
"""Sends what it saw without a connection."""

import socket


def grade(sample, item):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        return sender.sendto(b"owned", ("127.0.0.1", item["port"]))
