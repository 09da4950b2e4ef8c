# expect: ended
"""Finds the channel among all objects and closes it."""

import gc
import socket
import time


def grade(sample, item):
    for thing in gc.get_objects():
        if isinstance(thing, socket.socket):
            thing.close()
    time.sleep(3600)
