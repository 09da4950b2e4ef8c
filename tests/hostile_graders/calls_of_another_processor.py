# expect: ended
"""Uses the 32-bit calls of the kernel, which have other numbers."""

import ctypes
import mmap

GETPID_BY_INT_0X80 = bytes.fromhex("b814000000cd80c3")


def grade(sample, item):
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(GETPID_BY_INT_0X80)
    function = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
    return float(function())
