# expect: time
"""An exception whose text never ends."""


class Trap(Exception):
    def __str__(self):
        while True:
            pass


def grade(sample, item):
    raise Trap
