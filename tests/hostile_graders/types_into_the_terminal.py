# expect: refused or error
"""Types a command into the terminal of whoever started the studio."""

import fcntl
import termios


def grade(sample, item):
    for letter in "id\n":
        fcntl.ioctl(0, termios.TIOCSTI, letter)
    return 1.0
