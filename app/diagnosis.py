"""What the doctor found in a run, as pages, the API and the command line say it."""

import math
from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from app import forms
from studio import metrics, techniques
from studio.doctor import Checkup, Evidence, Finding, Rule, checkups
from studio.models import Run


def of(session: Session, run: Run) -> dict[str, Any]:
    """`{"findings", "looked", "steps"}`: findings the worst first, the titles of the rules that could be
    looked at, and the steps that are logged."""
    checkup = checkups.of(session, run)
    return {
        "findings": [finding(run, rule, found) for rule, found in checkup.findings],
        "looked": [rule.title for rule in checkup.looked],
        "steps": run.step,
    }


def finding(run: Run, rule: Rule, found: Finding) -> dict[str, Any]:
    return {
        "rule": rule.name,
        "title": rule.title,
        "severity": found.severity,
        "diagnosis": found.diagnosis,
        "explanation": rule.explanation,
        "evidence": evidence(run, found.evidence),
        "changes": changes(run, found),
        "besides": found.besides,
        "clone": f"/new-run?clone={run.id}&fix={rule.name}" if found.changes else "",
    }


def evidence(run: Run, shown: tuple[Evidence, ...]) -> list[dict[str, Any]]:
    """With the metrics' titles; a value that is no finite number is None."""
    charts = {chart["key"]: chart for chart in metrics.describe([run], [each.key for each in shown])}
    return [
        {
            "key": each.key,
            "title": charts[each.key]["title"],
            "unit": charts[each.key]["unit"],
            "step": each.step,
            "began": finite(each.began),
            "now": finite(each.now),
            "limit": each.limit,
        }
        for each in shown
    ]


def finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def changes(run: Run, found: Finding) -> list[dict[str, Any]]:
    kind = techniques.get(run.technique).parameters
    return [
        {
            "name": each.name,
            "title": forms.title(kind, each.name),
            "before": run.parameters.get(each.name),
            "value": each.value,
            "why": each.why,
        }
        for each in found.changes
    ]


def marks(session: Session, runs: Sequence[Run]) -> dict[int, tuple[str, str]]:
    """By the id of each run in which something was found: the kind of a chip, and the worst in words."""
    found = checkups.of_several(session, runs)
    return {run_id: mark(checkup) for run_id, checkup in found.items() if checkup.findings}


def mark(checkup: Checkup) -> tuple[str, str]:
    (rule, worst), *more = checkup.findings
    title = f"{rule.title}, {len(more)} more" if more else rule.title
    return "bad" if worst.severity == "error" else "warn", title
