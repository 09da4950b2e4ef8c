# expect: score 0
"""Raises the limits the kernel holds it to."""

import resource

LIMITS = ["AS", "CPU", "FSIZE", "NOFILE", "NPROC", "CORE", "MEMLOCK"]


def grade(sample, item):
    lifted = 0
    for name in LIMITS:
        _, hard = resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))
        try:
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (hard + 1, hard + 1))
        except (OSError, ValueError):
            continue
        lifted += 1
    return lifted
