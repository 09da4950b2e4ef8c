# expect: refused
"""Opens a netlink socket, the way to many holes."""

import socket


def grade(sample, item):
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as connection:
        connection.bind((0, 0))
    return 1.0
