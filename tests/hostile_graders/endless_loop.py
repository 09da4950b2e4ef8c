# expect: time
"""Never returns."""


def grade(sample, item):
    while True:
        pass
