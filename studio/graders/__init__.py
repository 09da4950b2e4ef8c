"""Graders score an answer. A file each, discovered."""

import sys
from typing import Any

from studio.graders.base import Case, Grader, Score, Scorer
from studio.registry import Registry

_registry: Registry[Grader] = Registry(sys.modules[__name__], "GRADER", "grader")
all = _registry.all
get = _registry.get
has = _registry.__contains__


def score(name: str, answer: str, reference: Any = "", **parameters: Any) -> Score:
    """One answer scored by a grader that needs no worker."""
    grader = get(name)
    case = Case(answer=answer, reference=reference)
    return grader.ready(grader.parameters(**parameters))([case])[0]


__all__ = ["Case", "Grader", "Score", "Scorer", "all", "get", "has", "score"]
