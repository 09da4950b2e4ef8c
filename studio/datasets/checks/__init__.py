"""The family of checks: one file a kind of finding. `start` gives those that suit a shape."""

import sys

from studio.datasets.checks.base import Check, Checker, Example, Finding
from studio.registry import Registry

__all__ = ["CHECKS", "Check", "Checker", "Example", "Finding", "finish", "start"]

CHECKS: Registry[Check] = Registry(sys.modules[__name__], "CHECK", "check")
_SEVERITIES = ("error", "warning", "info")


def start(shape: str) -> list[Checker]:
    """A fresh checker of every kind that makes sense for this shape."""
    return [check.start() for check in CHECKS.all() if not check.shapes or shape in check.shapes]


def finish(checkers: list[Checker]) -> list[Finding]:
    """What they found, the worst first."""
    found = [finding for checker in checkers if (finding := checker.finish())]
    return sorted(found, key=lambda finding: _SEVERITIES.index(finding.severity))
