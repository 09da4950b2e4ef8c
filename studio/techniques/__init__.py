"""The techniques: a file each, discovered. `all()` lists them, `get(name)` finds one."""

import sys

from studio.registry import Registry
from studio.techniques.base import Input, RowParameters, Suggestion, Technique, TrainingParameters
from studio.techniques.metrics import Healthy, MetricInfo

_registry: Registry[Technique] = Registry(sys.modules[__name__], "TECHNIQUE", "technique")
all = _registry.all
get = _registry.get
has = _registry.__contains__

__all__ = [
    "Healthy",
    "Input",
    "MetricInfo",
    "RowParameters",
    "Suggestion",
    "Technique",
    "TrainingParameters",
    "all",
    "get",
    "has",
]
