# expect: score 0
"""Mounts the list of processes, unmounts its folder, moves its root."""

import ctypes


def grade(sample, item):
    libc = ctypes.CDLL(None, use_errno=True)
    done = [
        libc.mount(b"proc", b"/tmp", b"proc", 0, None),
        libc.mount(b"tmpfs", b"/tmp", b"tmpfs", 0, None),
        libc.mount(None, b"/", None, 32, b""),
        libc.umount2(b"/tmp", 2),
    ]
    return done.count(0)
