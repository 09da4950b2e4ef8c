"""What may come back from the sandbox, and how it is said to people.

Everything here was written by a process that may lie: it is of one exact form, bounded, and shown as text.
"""

import signal
from dataclasses import dataclass
from enum import StrEnum

import msgspec

KEPT_OUTPUT = 4 << 10  # bytes of what a call printed that its result holds
NOT_ALLOWED = {1, 13, 30, 38}  # EPERM, EACCES, EROFS, ENOSYS


class Outcome(StrEnum):
    SCORE = "score"
    ERROR = "error"  # an exception
    REFUSED = "refused"  # an exception, because the kernel was asked for what nothing in the sandbox may have
    TIME = "time"
    MEMORY = "memory"
    OUTPUT = "output"
    ENDED = "ended"  # the process came to an end
    NONSENSE = "nonsense"  # something came back that the sandbox never sends


# After these the process is gone, or may hold what made it fail.
ENDINGS = {Outcome.TIME, Outcome.MEMORY, Outcome.OUTPUT, Outcome.ENDED, Outcome.NONSENSE}

REFUSAL = "The sandbox lets no program open connections, start others, or touch files beyond its own folder."
HINTS = {
    "FileNotFoundError": "In the sandbox there are no files but Python's own and those the program makes.",
    "ModuleNotFoundError": "In the sandbox there is Python's standard library and nothing else.",
    "EOFError": "Nobody types anything into the sandbox.",
}


@dataclass(frozen=True)
class Result:
    """What became of one case. `score` is there when `outcome` is SCORE; otherwise `message` says what
    happened, and `line` in which line of their `file`."""

    outcome: Outcome
    score: float | None = None
    message: str = ""
    line: int | None = None
    file: str = ""
    printed: str = ""
    seconds: float = 0.0


class Fault(msgspec.Struct):
    """An exception as the guest describes it; `number` is the errno of an OSError."""

    kind: str
    text: str
    line: int | None = None
    file: str = ""
    code: str = ""
    number: int | None = None


class Reply(msgspec.Struct, forbid_unknown_fields=True):
    """The only thing a guest may send. `count`: how many tests its program holds."""

    id: int
    score: float | None = None
    count: int = 0
    fault: Fault | None = None


def failed(fault: Fault, memory: int) -> Result:
    """An exception, in words. `memory`: the bound in bytes, for when that was it."""
    code = f", “{fault.code}”" if fault.code else ""
    place = f"{fault.file or 'line'} line {fault.line}{code}: " if fault.line else ""
    place = place.removeprefix("grader.py ").removeprefix("answer.py ")
    if fault.kind == "MemoryError":
        return Result(
            Outcome.MEMORY, None, f"{place}it asked for more than {memory >> 20} MiB of memory.", fault.line
        )
    said = f"{place}{fault.kind}" + (f": {fault.text}" if fault.text else "")
    refused = fault.number in NOT_ALLOWED
    hint = REFUSAL if refused else HINTS.get(fault.kind, "")
    message = f"{said}{'' if said.endswith('.') else '.'} {hint}".strip()
    return Result(Outcome.REFUSED if refused else Outcome.ERROR, None, plain(message), fault.line, fault.file)


def ended(how: dict[str, int] | None) -> str:
    """How a process ended by itself, as the end of a sentence."""
    if how is None:
        return ", and the sandbox with it"
    if how["signal"] == signal.SIGKILL:
        return ": it closed its channel or was killed"
    if how["signal"]:
        return f": it crashed ({signal.strsignal(how['signal'])})"
    return f": it ended itself with exit code {how['code']}"


def shown(output: bytearray) -> str:
    """The beginning of what was printed."""
    text = plain(output[:KEPT_OUTPUT].decode(errors="replace"))
    return f"{text} … (cut)" if len(output) > KEPT_OUTPUT else text


def plain(text: str) -> str:
    """Without control characters, which could write over what stands in a terminal."""
    return "".join(
        letter if letter.isprintable() or letter in "\n\t" else "\N{REPLACEMENT CHARACTER}" for letter in text
    )
