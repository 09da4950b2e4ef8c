"""Alpaca and its kin (Dolly): `instruction` with `input` or `context`, and an answer.

Rows with a `system` or `history` column become messages, all others stay plain text.
"""

from studio.datasets.formats.base import Format, Row, RowError, first_key, keep_meta, read_text, with_system
from studio.datasets.messages import Message

ANSWERS = ("output", "response", "completion", "answer")
INPUTS = ("input", "context")


def fits(row: Row) -> str | None:
    return "instruction" if "instruction" in row and first_key(row, ANSWERS) else None


def normalise(row: Row, shape: str) -> Row:
    answer = first_key(row, ANSWERS)
    if not answer:
        raise RowError("has no “output”")
    made: Row = {"prompt": _prompt(row), "completion": read_text(row, answer)}
    return keep_meta(made, row, ("instruction", *INPUTS, answer, "system", "history"))


def _prompt(row: Row) -> str | list[Message]:
    asked = instruction(row)
    if "history" not in row:
        return with_system(row, asked)
    turns = [*_history(row["history"]), {"role": "user", "content": asked}]
    return with_system(row, turns)


def instruction(row: Row) -> str:
    """The instruction, followed by its input where there is one."""
    asked = read_text(row, "instruction")
    given = first_key(row, INPUTS)
    text = row.get(given) if given else ""
    if text is not None and not isinstance(text, str):
        raise RowError(f"“{given}” is not text")
    return f"{asked}\n\n{text}" if text and asked else text or asked


def _history(history: object) -> list[Message]:
    """[[question, answer], …] as messages."""
    if history is None or history == "":
        return []
    if not isinstance(history, list):
        raise RowError("“history” is not a list of [question, answer]")
    turns: list[Message] = []
    for pair in history:
        if not (isinstance(pair, list | tuple) and len(pair) == 2 and all(isinstance(s, str) for s in pair)):
            raise RowError("“history” is not a list of [question, answer]")
        turns += [{"role": "user", "content": pair[0]}, {"role": "assistant", "content": pair[1]}]
    return turns


FORMAT = Format(
    "alpaca",
    "Alpaca",
    ("instruction",),
    "“instruction” and “output”",
    fits,
    normalise,
    order=80,
)
