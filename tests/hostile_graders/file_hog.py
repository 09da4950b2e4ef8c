# expect: error
"""Writes into its folder without end."""


def grade(sample, item):
    number = 0
    while True:
        with open(f"/tmp/{number}", "wb") as file:
            file.write(bytes(1 << 16))
        number += 1
