# expect: error or nonsense or ended or score
"""Replaces the functions everything is made of."""

import builtins


def grade(sample, item):
    for name in ("len", "isinstance", "float", "str", "type"):
        setattr(builtins, name, None)
    return 1.0
