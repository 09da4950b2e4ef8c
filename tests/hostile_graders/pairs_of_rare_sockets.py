# expect: refused
"""Makes a pair of sockets of a kind that rarely is tested."""

import socket

TIPC = 30


def grade(sample, item):
    socket.socketpair(TIPC, socket.SOCK_SEQPACKET)
    return 1.0
