"""Text that went through the wrong encoding: replacement characters, “Ã¼” for “ü”, NUL characters."""

import re

from studio.datasets.checks.base import Check, Finding, Tally, rows
from studio.datasets.view import View

# UTF-8 read as Windows-1252 or Latin-1: a lead byte as letter, followed by a continuation byte as sign.
DAMAGE = re.compile("\ufffd|[ÃÂ][\u0080-\u00bf€‚ƒ„…†‡ˆ‰Š‹Œ‘’“”•–—˜™š›œ]|â€|ï»¿|\0")


class EncodingDamage:
    def __init__(self) -> None:
        self.tally = Tally()

    def see(self, view: View) -> None:
        text = view.text
        if text.isascii() and "\0" not in text:
            return
        if found := DAMAGE.search(text):
            self.tally.add(view.line, text[max(0, found.start() - 40) : found.end() + 40])

    def finish(self) -> Finding | None:
        return self.tally.finding(
            "encoding_damage",
            "warning",
            f"{rows(self.tally.count, 'has', 'have')} damaged letters (such as � or Ã¼)",
            "Export the file again as UTF-8.",
        )


CHECK = Check("encoding_damage", "Encoding damage", (), EncodingDamage, order=100)
