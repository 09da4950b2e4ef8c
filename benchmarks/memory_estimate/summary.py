"""What the errors of a table come to."""

import statistics


def summary(name: str, errors: list[float]) -> None:
    """Median of the absolute errors, and the worst on the wrong side."""
    if not errors:
        return
    median, least = statistics.median(abs(error) for error in errors), min(errors)
    verdict = "met" if median <= 0.10 and least >= -0.05 else "missed"
    print(
        f"\n{name}: {len(errors)} rows, median error {median:.1%} (goal 10 %), lowest {least:+.1%} "
        f"(goal -5 %), highest {max(errors):+.1%}: {verdict}"
    )
