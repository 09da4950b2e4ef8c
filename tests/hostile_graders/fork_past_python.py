# expect: score 0
"""Asks the kernel for processes by fork, vfork, clone and clone3, past Python."""

import ctypes
import os

FORK, VFORK, CLONE, CLONE3 = 57, 58, 56, 435
SIGCHLD = 17


def grade(sample, item):
    libc = ctypes.CDLL(None, use_errno=True)
    calls = [(220, SIGCHLD, 0, 0, 0, 0), (CLONE3, None, 0)]
    if os.uname().machine == "x86_64":
        calls = [(FORK,), (VFORK,), (CLONE, SIGCHLD, 0, 0, 0, 0), (CLONE3, None, 0)]
    born = [call for call in calls if libc.syscall(*call) != -1]
    return len(born)
