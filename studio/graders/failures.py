"""Counts the answers a grader could not score, says so in the log, and ends a run in which it scores none.

One failing answer must not end a run of hours: a model that learns writes things no grader expected. A grader
that fails on everything must end it, or nothing would be learned all night long.
"""

import logging

from studio.errors import StudioError

PATIENCE = 16  # failures before the first score; a batch of a usual size, or two small ones
SAID = 3  # failures that are written down one by one; after that at 10, 100, 1000, …

log = logging.getLogger("tunesmith.graders")


class Failures:
    """For one scorer. `grader` is how people call it, `hint` what usually helps."""

    def __init__(self, grader: str, hint: str):
        self._grader, self._hint = grader, hint
        self.scored = 0
        self.failed = 0
        self.last = ""

    def note(self, message: str) -> None:
        """An answer went without a proper score. Raises StudioError when none ever had one."""
        self.failed += 1
        self.last = message
        if self.failed <= SAID or str(self.failed).rstrip("0") == "1":
            log.warning("%s: failure %d. %s", self._grader, self.failed, message)
        if self.failed >= PATIENCE and not self.scored:
            raise StudioError(
                f"{self._grader} failed on each of the first {self.failed} answers. The last time: {message}",
                hint=self._hint,
                field="graders",
            )

    def note_score(self) -> None:
        self.scored += 1
