"""How a trainer ends: the exit codes that tell its runner. A negative code is the signal that killed it."""

from enum import IntEnum


class Exit(IntEnum):
    DONE = 0
    FAILED = 1
    INTERRUPTED = 75  # saved and stopped because it was asked to (EX_TEMPFAIL of sysexits.h)
