# expect: time
"""A number that loops when it is read."""


class Trap(float):
    def __float__(self):
        while True:
            pass


def grade(sample, item):
    return Trap(1.0)
