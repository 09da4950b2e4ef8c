# expect: memory
"""Doubles a text without end."""


def grade(sample, item):
    text = "x"
    while True:
        text += text
