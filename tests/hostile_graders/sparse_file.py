# expect: error
"""Makes a file of a terabyte that has nothing in it."""


def grade(sample, item):
    with open("/tmp/sparse", "wb") as file:
        file.truncate(1 << 40)
    return 1.0
