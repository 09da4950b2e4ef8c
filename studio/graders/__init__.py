"""Graders score an answer. A file each, discovered."""

import sys

from studio.graders.base import Grader
from studio.registry import Registry

_registry: Registry[Grader] = Registry(sys.modules[__name__], "GRADER", "grader")
all = _registry.all
get = _registry.get
has = _registry.__contains__

__all__ = ["Grader", "all", "get", "has"]
