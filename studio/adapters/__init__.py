"""How a technique changes a model's weights: all of them, or a small part beside them. A file each."""

import sys

from studio.adapters.base import Adapter
from studio.registry import Registry

_registry: Registry[Adapter] = Registry(sys.modules[__name__], "ADAPTER", "adapter")
all = _registry.all
get = _registry.get
has = _registry.__contains__

__all__ = ["Adapter", "all", "get", "has"]
