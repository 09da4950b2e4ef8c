# expect: score 0
"""Takes hold of the process that looks after it and reads its memory."""

import ctypes
import os

ATTACH, SEIZE = 16, 0x4206


class Piece(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


def grade(sample, item):
    libc = ctypes.CDLL(None, use_errno=True)
    taken = [libc.ptrace(request, os.getppid(), None, None) != -1 for request in (0, ATTACH, SEIZE)]
    room = ctypes.create_string_buffer(8)
    here, there = Piece(ctypes.addressof(room), 8), Piece(id(sample), 8)
    read = libc.process_vm_readv(os.getppid(), ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
    return sum(taken) + (read != -1)
