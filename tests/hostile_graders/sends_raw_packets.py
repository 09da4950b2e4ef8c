# expect: refused
"""Writes packets of its own."""

import socket


def grade(sample, item):
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as sender:
        return sender.sendto(bytes(8), ("127.0.0.1", 0))
