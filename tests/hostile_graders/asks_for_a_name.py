# expect: error or refused
"""Sends what it saw in a question for a name."""

import socket


def grade(sample, item):
    return len(socket.gethostbyname("secret.example.com"))
