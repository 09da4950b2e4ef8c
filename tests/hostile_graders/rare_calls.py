# expect: score 0
"""Asks for everything holes were found in: bpf, perf, keys, rings, modules, tracing."""

import ctypes
import os

# bpf, perf_event_open, add_key, keyctl, userfaultfd, io_uring_setup, init_module, kexec_load, pidfd_open,
# pidfd_getfd, open_by_handle_at, setns, reboot, swapon, memfd_create, fsopen, landlock, quotactl
X86_64 = [321, 298, 248, 250, 323, 425, 175, 246, 434, 438, 304, 308, 169, 167, 319, 430, 444, 179]
AARCH64 = [280, 241, 217, 219, 282, 425, 105, 104, 434, 438, 265, 268, 142, 224, 279, 430, 444, 60]


def grade(sample, item):
    libc = ctypes.CDLL(None, use_errno=True)
    numbers = X86_64 if os.uname().machine == "x86_64" else AARCH64
    refused = 0
    for number in numbers:
        ctypes.set_errno(0)
        libc.syscall(number, 0, 0, 0, 0, 0, 0)
        refused += ctypes.get_errno() in (1, 38)  # EPERM, ENOSYS: not even looked at
    return len(numbers) - refused
