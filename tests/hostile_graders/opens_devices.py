# expect: score 0
"""Opens disks, memory, terminals and graphics cards."""

import os

DEVICES = ["sda", "vda", "nvme0n1", "mem", "kmem", "tty", "ptmx", "pts", "shm", "kvm", "nvidia0"]


def grade(sample, item):
    return sum(os.path.exists(f"/dev/{name}") for name in DEVICES)
