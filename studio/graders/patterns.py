"""Regular expressions that always end: compiled with a bound on their size, searched with a bound on time.

A pattern like `(a+)+$` tries exponentially many ways through a text that nearly fits. `regex` looks at the
clock while it searches, which Python's own `re` does not."""

from typing import Any

import regex

from studio.errors import StudioError

SECONDS = 0.1  # for one search; an honest pattern takes microseconds
LONGEST = 2000  # characters of a pattern
LARGEST_COUNT = 1000  # of {m,n}


class TooSlow(Exception):
    """The search was given up."""


def compile(pattern: str, flags: int = 0, field: str = "pattern") -> Any:
    """Raises StudioError for a pattern that is wrong or too large."""
    if len(pattern) > LONGEST:
        raise StudioError(f"The pattern has more than {LONGEST} characters.", hint="Split it.", field=field)
    counts = [int(count) for count in regex.findall(r"(?<=[{,])\d{1,9}(?=[,}])", pattern)]
    if max(counts, default=0) > LARGEST_COUNT:
        raise StudioError(
            f"The pattern counts up to {max(counts)}.", hint=f"{LARGEST_COUNT} is the most.", field=field
        )
    try:
        return regex.compile(pattern, flags, cache_pattern=False)
    except (regex.error, OverflowError, RecursionError) as problem:
        raise StudioError(
            f"The pattern is wrong: {problem}.", hint="It is a regular expression as in Python.", field=field
        ) from problem


def find(compiled: Any, text: str, how: str = "search") -> Any:
    """The match (`how`: search, match or fullmatch) or None. Raises TooSlow after SECONDS."""
    try:
        return getattr(compiled, how)(text, timeout=SECONDS)
    except (TimeoutError, MemoryError, RecursionError) as problem:
        raise TooSlow from problem
