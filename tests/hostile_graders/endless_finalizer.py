# expect: time
"""An object that loops when it is thrown away."""


class Trap:
    def __del__(self):
        while True:
            pass


def grade(sample, item):
    Trap()
    return 1.0
