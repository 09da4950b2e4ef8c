"""Child processes that must not outlive whoever looks after them."""

import ctypes
import signal
import sys

SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)


def end_with_parent() -> None:
    """For Popen's preexec_fn: Linux ends this child (SIGTERM) when its parent is killed. Elsewhere it does
    nothing; the next start then finds what was left."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)
