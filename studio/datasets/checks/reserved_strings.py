"""Strings inside the text that chat templates use as control tokens: they would end or forge turns."""

import re

from studio.datasets.checks.base import Check, Finding, Tally, rows
from studio.datasets.view import View

RESERVED = re.compile(
    r"<\|[a-z_]{2,40}\|>|<｜[^｜<>]{2,40}｜>|</?(?:start|end)_of_turn>|\[/?INST\]|<</?SYS>>"
    r"|<(?:bos|eos|pad|unk)>",
    re.IGNORECASE,
)


class ReservedStrings:
    def __init__(self) -> None:
        self.tally = Tally()

    def see(self, view: View) -> None:
        text = view.text
        if ("<" in text or "[" in text) and (found := RESERVED.search(text)):
            self.tally.add(view.line, text[max(0, found.start() - 40) : found.end() + 40])

    def finish(self) -> Finding | None:
        return self.tally.finding(
            "reserved_strings",
            "warning",
            f"{rows(self.tally.count, 'holds', 'hold')} control strings of a chat template",
            "Remove them: the template of the model adds its own.",
        )


CHECK = Check("reserved_strings", "Control strings", (), ReservedStrings, order=90)
