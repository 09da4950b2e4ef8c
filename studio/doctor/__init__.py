"""The run doctor: looks at what a run has logged and says what is wrong with it, in its own numbers, and with
which settings to start it anew. A rule a file, discovered.

`diagnose` shows a run to every rule; runs of the database come to it through `checkups`. It changes nothing.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from studio import preferences
from studio.doctor.base import Change, Evidence, Finding, Limits, Patient, Rule, Series
from studio.registry import Registry
from studio.thresholds import Threshold, merged, with_own

PREFERENCE = "doctor"  # of studio.preferences

_registry: Registry[Rule] = Registry(sys.modules[__name__], "RULE", "rule of the doctor")
all = _registry.all
get = _registry.get


@dataclass(frozen=True)
class Checkup:
    """What was found in a run, the worst first, and the rules that could be looked at."""

    findings: tuple[tuple[Rule, Finding], ...]
    looked: tuple[Rule, ...]


def diagnose(patient: Patient, limits: Limits) -> Checkup:
    looked = [rule for rule in all() if rule.concerns(patient)]
    found = [(rule, finding) for rule in looked if (finding := rule.examine(patient, limits))]
    if any(rule is get("diverged") for rule, _ in found):
        found = [(rule, finding) for rule, finding in found if rule.of_data or rule is get("diverged")]
    found.sort(key=lambda each: each[1].severity != "error")
    return Checkup(tuple(found), tuple(looked))


# ---- thresholds


def shipped() -> dict[str, Threshold]:
    return {name: threshold for rule in all() for name, threshold in rule.thresholds.items()}


def thresholds(session: Session) -> dict[str, Threshold]:
    """Those in force in this studio."""
    ours, ships = preferences.get(session, PREFERENCE), shipped()
    return with_own(ships, {name: ours[name] for name in ours if name in ships}, "doctor")


def limits(session: Session) -> dict[str, float]:
    return {name: threshold.value for name, threshold in thresholds(session).items()}


def set_thresholds(session: Session, changed: Mapping[str, Any], who: str = "") -> dict[str, float]:
    """Keeps these beside those that were set before; None goes back to what is shipped. Raises StudioError
    for a value that cannot be."""
    before, ships = preferences.get(session, PREFERENCE), shipped()
    after = {
        name: each.value for name, each in with_own(ships, merged(ships, before, changed), "doctor").items()
    }
    ours = {name: value for name, value in after.items() if value != ships[name].value}
    if ours != before:
        preferences.put(session, PREFERENCE, ours, who)
    return after


__all__ = [
    "Change",
    "Checkup",
    "Evidence",
    "Finding",
    "Limits",
    "Patient",
    "Rule",
    "Series",
    "all",
    "diagnose",
    "get",
    "limits",
    "set_thresholds",
    "shipped",
    "thresholds",
]
