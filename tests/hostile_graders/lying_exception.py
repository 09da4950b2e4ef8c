# expect: error
"""An exception that fails when it is looked at."""


class Liar(type):
    def __getattribute__(cls, name):
        raise RuntimeError("no")


class Trap(Exception, metaclass=Liar):
    @property
    def errno(self):
        raise RuntimeError("no")

    def __str__(self):
        raise RuntimeError("no")


def grade(sample, item):
    raise Trap
