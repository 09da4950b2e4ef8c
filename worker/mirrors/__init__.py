"""The trackers that can be told of runs while they train: one file each."""

import sys

from studio.registry import Registry
from worker.mirrors.base import Away, Mirror, Unwilling

MIRRORS: Registry[Mirror] = Registry(sys.modules[__name__], "MIRROR", "mirror")

__all__ = ["MIRRORS", "Away", "Mirror", "Unwilling"]
